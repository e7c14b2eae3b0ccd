"""A launch with what its items need on the host in every step: counters, and one row of numbers per group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import torch

from adamas.engines.counters import Counters
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

    def run(self, grads: Sequence[torch.Tensor], groups: Sequence[dict[str, Any]], inverse_scale: float) -> None:
        """Take one step for all items."""
        steps = self._steps.count() if self._steps else [1.0] * len(self.items)
        columns = {name: counters.read() for name, counters in self._others.items()}
        if self._first:
            columns["first"] = [float(item.fresh) for item in self.items]
        rows = _Rows(self._rule, inverse_scale, self._dtypes)
        row_of: list[int] = []
        for group, start, end in self._segments:
            row_of += rows.places(groups[group], start, end, steps, columns)
        self._launch.run(grads, rows.rows, row_of, steps)
        for name, counters in self._others.items():
            counters.write([rows.advanced[row][name] for row in row_of])
        if self._first:
            for item in self.items:
                item.fresh = False


@dataclass
class _Rows:
    """The rows of numbers of one step: one for each group and value of the counters, equal ones only once."""

    rule: type[Rule]
    inverse_scale: float
    dtypes: dict[str, torch.dtype]
    rows: list[Row] = field(default_factory=list)
    advanced: list[dict[str, float]] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)

    def places(
        self,
        group: dict[str, Any],
        start: int,
        end: int,
        steps: Sequence[float],
        columns: dict[str, list[float]],
    ) -> list[int]:
        """Return the number of the row of each item from ``start`` to ``end``, all of one group."""
        lists = [steps[start:end], *(column[start:end] for column in columns.values())]
        if all(values.count(values[0]) == end - start for values in map(list, lists)):
            return [self._place(group, columns, [values[0] for values in lists])] * (end - start)
        return [self._place(group, columns, list(values)) for values in zip(*lists, strict=True)]

    def _place(self, group: dict[str, Any], names: dict[str, list[float]], values: list[float]) -> int:
        key = (_hashable(group), *values)
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = len(self.rows)
            h, t, counters = hyperparameters(group), values[0], dict(zip(names, values[1:], strict=True))
            tensors = {name: torch.tensor(value, dtype=self.dtypes[name]) for name, value in counters.items()}
            counters = {name: x.item() for name, x in self.rule.advance(h, t, **tensors).items()}
            self.advanced.append(counters)
            scalars = SimpleNamespace(**self.rule.scalars(h, t, **counters))
            self.rows.append(Row(around(self.rule, h, self.inverse_scale), scalars))
        return place


def around(rule: type[Rule], h: SimpleNamespace, inverse_scale: float) -> Around:
    """Return what the engine does around the rule with these hyper-parameters."""
    decay = getattr(h, "weight_decay", 0.0)
    decoupled = getattr(h, "decoupled_weight_decay", rule.decoupled_weight_decay)
    return Around(
        keep=1 - h.lr * decay if decoupled else 1.0,
        l2=0.0 if decoupled else decay,
        factor=-inverse_scale if getattr(h, "maximize", False) else inverse_scale,
    )


def hyperparameters(group: dict[str, Any]) -> SimpleNamespace:
    """Return a group's hyper-parameters as numbers, with ``betas`` also as ``beta1`` and ``beta2``.

    Example:
        >>> h = hyperparameters({"params": [], "lr": torch.tensor(0.5), "betas": (0.9, 0.99)})
        >>> h.lr, h.beta2
        (0.5, 0.99)
    """
    h = SimpleNamespace(**{k: _number(v) for k, v in group.items() if k not in ("params", "param_names")})
    if "betas" in group:
        h.beta1, h.beta2 = map(_number, group["betas"])
    return h


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def _hashable(group: dict[str, Any]) -> Any:
    """Return a key under which groups of equal hyper-parameters meet; a tensor equals only itself."""
    values = tuple([value for key, value in group.items() if key not in ("params", "param_names")])
    try:
        hash(values)
    except TypeError:  # a list or dict that somebody put into the group
        return id(group)
    return values


def _segments(items: Sequence[Item]) -> list[tuple[int, int, int]]:
    """Return (group, start, end) of the runs of items of the same group."""
    segments, start = [], 0
    for group, members in groupby(items, key=lambda item: item.group):
        end = start + sum(1 for _ in members)
        segments.append((group, start, end))
        start = end
    return segments
