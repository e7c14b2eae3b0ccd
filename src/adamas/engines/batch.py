"""A launch with what its items need on the host in every step: counters, and one row of numbers per group."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import torch

from adamas.engines.counters import Counters
from adamas.engines.hyper import Hyper
from adamas.engines.launch import Around, Item, Launch, Row
from adamas.rules import Rule


class Batch:
    """Items of one rule that one launch steps together.

    Args:
        launch: steps them.
        items: the parameters, in the order of their groups.
    """

    def __init__(self, launch: Launch, items: Sequence[Item]) -> None:
        self.items = items
        self._launch = launch
        self._rule = items[0].rule
        self._steps = Counters([x.state["step"] for x in items]) if "step" in items[0].state else None
        self._others = {
            counter.name: Counters([x.state[counter.name] for x in items])
            for counter in self._rule.counters
            if counter.stored and counter.name != "step"
        }
        self._dtypes = {name: counters.tensors[0].dtype for name, counters in self._others.items()}
        self._dtypes["first"] = torch.float32
        self._first = any(not counter.stored for counter in self._rule.counters)
        self._segments = _segments(items)
        self._hyper = Hyper()

    def run(self, grads: Sequence[torch.Tensor], groups: Sequence[dict[str, Any]], inverse_scale: float) -> None:
        """Take one step for all items."""
        steps = self._steps.count() if self._steps else [1.0] * len(self.items)
        columns = {name: counters.read() for name, counters in self._others.items()}
        if self._first:
            columns["first"] = [float(item.fresh) for item in self.items]
        rows = _Rows(self._rule, self._hyper, inverse_scale, self._dtypes)
        row_of: list[int] = []
        for group, start, end in self._segments:
            row_of += rows.places(groups[group], start, end, steps, columns)
        self._launch.run(grads, rows.rows, row_of, steps)
        for name, counters in self._others.items():
            counters.write([rows.advanced[row][name] for row in row_of])
        if self._first:
            for item in self.items:
                item.fresh = False


class _Rows:
    """The rows of numbers of one step: one for each group and value of the counters, equal ones only once."""

    def __init__(self, rule: type[Rule], hyper: Hyper, inverse_scale: float, dtypes: dict[str, torch.dtype]) -> None:
        self.rows: list[Row] = []
        self.advanced: list[dict[str, float]] = []
        self._rule, self._hyper, self._inverse_scale, self._dtypes = rule, hyper, inverse_scale, dtypes
        self._advances = rule.advance is not Rule.advance
        self._known: dict[tuple[float, ...], int] = {}

    def places(
        self, group: dict[str, Any], start: int, end: int, steps: Sequence[float], columns: dict[str, list[float]]
    ) -> list[int]:
        """Return the number of the row of each item from ``start`` to ``end``, all of one group."""
        h = self._hyper.of(group)
        lists = [steps[start:end], *[column[start:end] for column in columns.values()]]
        if all([values.count(values[0]) == end - start for values in lists]):
            return [self._place(h, columns, [values[0] for values in lists])] * (end - start)
        return [self._place(h, columns, list(values)) for values in zip(*lists, strict=True)]

    def _place(self, h: SimpleNamespace, names: dict[str, list[float]], values: list[float]) -> int:
        key = (id(h), *values)
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = len(self.rows)
            counters = self._advance(h, values[0], dict(zip(names, values[1:], strict=True)))
            self.advanced.append(counters)
            scalars = self._rule.scalars(h, values[0], **counters)
            self.rows.append(Row(around(self._rule, h, self._inverse_scale), scalars))
        return place

    def _advance(self, h: SimpleNamespace, t: float, counters: dict[str, float]) -> dict[str, float]:
        if not self._advances:
            return counters
        tensors = {name: torch.tensor(value, dtype=self._dtypes[name]) for name, value in counters.items()}
        return {name: x.item() for name, x in self._rule.advance(h, t, **tensors).items()}


def around(rule: type[Rule], h: SimpleNamespace, inverse_scale: float) -> Around:
    """Return what the engine does around the rule with these hyper-parameters."""
    decay = getattr(h, "weight_decay", 0.0)
    decoupled = getattr(h, "decoupled_weight_decay", rule.decoupled_weight_decay)
    return Around(
        keep=1 - h.lr * decay if decoupled else 1.0,
        l2=0.0 if decoupled else decay,
        factor=-inverse_scale if getattr(h, "maximize", False) else inverse_scale,
    )


def _segments(items: Sequence[Item]) -> list[tuple[int, int, int]]:
    """Return (group, start, end) of the runs of items of the same group."""
    segments, start = [], 0
    for group, members in groupby(items, key=lambda item: item.group):
        end = start + sum(1 for _ in members)
        segments.append((group, start, end))
        start = end
    return segments
