"""A launch with what its items need on the host in every step: counters, and one row of numbers per group."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, groupby
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import torch

from adamas.engines.across import Across
from adamas.engines.cautious import favour
from adamas.engines.counters import Counters
from adamas.engines.hyper import Hyper
from adamas.engines.launch import Item, Launch
from adamas.engines.rows import Rows
from adamas.engines.statistics import Reading, read_statistics
from adamas.engines.updates import clip_updates, threshold
from adamas.rules.rule import Part

_first = itemgetter(0)


class Batch:
    """Items of one rule that one launch steps together.

    Args:
        launch: steps them.
        items: the parameters, in the order of their groups.

    Attributes:
        update_rms: how large the updates of the last step were before they were clipped, if any group clips them.
        readings: what the last step was seen to do, if that was asked for.
    """

    def __init__(self, launch: Launch, items: Sequence[Item]) -> None:
        self.items = items
        self.update_rms: array | None = None
        self.readings: list[Reading] = []
        self._launch = launch
        self._rule = items[0].rule
        self._steps = Counters([x.state["step"] for x in items]) if "step" in items[0].state else None
        self._others = {
            counter.name: Counters([x.state[counter.name] for x in items])
            for counter in self._rule.counters
            if counter.stored and counter.name != "step"
        }
        self._first = any(not counter.stored for counter in self._rule.counters)
        self._dtypes = {name: counters.tensors[0].dtype for name, counters in self._others.items()}
        if self._first:
            self._dtypes["first"] = torch.float32
        self._segments = _segments(items)
        self._groups = [group for group, _, _ in self._segments]
        self._across = Across(items)
        self._hyper = Hyper(self._rule)
        self._settings: int | None = None  # of the last step; the hyper-parameters, and whether any of them clip
        self._different: list[SimpleNamespace] = []
        self._clips = False
        self._places: list[int] = []
        self._row_of_each = array("i")

    def run(
        self,
        grads: Sequence[torch.Tensor],
        groups: Sequence[dict[str, Any]],
        inverse_scale: float,
        part: Part | None = None,
        look: bool = False,
        settings: int | None = None,
    ) -> None:
        """Take one step for all items.

        Args:
            grads: their gradients.
            groups: the optimizer's parameter groups.
            inverse_scale: what to multiply the gradients with.
            part: which part of the step's gradients these are; None if they are all.
            look: whether to take statistics.
            settings: a number that is another one whenever a hyper-parameter is; None if nobody has looked.
        """
        if settings is None or settings != self._settings:
            self._settings = settings
            self._read(groups)
        if self._steps is None:
            steps = array("d", [1.0]) * len(self.items)
        else:
            steps = self._steps.count() if part is None or part.number == 1 else self._steps.read()
        columns = [steps, *map(Counters.read, self._others.values())]
        if self._first:
            columns.append(array("d", [item.fresh for item in self.items]))
        rows = Rows(self._rule, self._dtypes, inverse_scale, part)
        row_of = self._row_of(rows, columns)
        self.update_rms = None
        if self._clips:
            self.update_rms = clip_updates(self._launch, self.items, grads, rows, row_of, steps, self._across)
        if self._rule.cautious:
            favour(self._launch, self.items, grads, rows, row_of, steps, self._across)
        self.readings = []
        if look:
            self.readings = read_statistics(
                self._launch, self.items, grads, rows, row_of, steps, self._across, run=True
            )
        else:
            self._launch.run(grads, rows, row_of, steps)
        for name, counters in self._others.items():
            counters.write([rows.advanced[row][name] for row in row_of])
        if self._first:
            for item in self.items:
                item.fresh = False

    def _read(self, groups: Sequence[dict[str, Any]]) -> None:
        """Read the hyper-parameters of the items' groups."""
        self._different, places = self._hyper.of_all(list(map(groups.__getitem__, self._groups)))
        self._clips = any(threshold(h) is not None for h in self._different)
        if places != self._places:  # rows are numbered as they come: those of last time have the same numbers
            self._places, runs = places, zip(places, self._segments, strict=True)
            self._row_of_each = array("i", chain.from_iterable([row] * (end - at) for row, (_, at, end) in runs))

    def _row_of(self, rows: Rows, columns: Sequence[array]) -> array:
        """Return which row each item takes."""
        if len(self.items) == 1 or all(column.count(column[0]) == len(column) for column in columns):
            counters = tuple(map(_first, columns))
            for h in self._different:
                rows.add(h, counters)
            return self._row_of_each[:]  # what clips updates changes it
        row_of = array("i")
        for place, (_, start, end) in zip(self._places, self._segments, strict=True):
            own = zip(*(column[start:end] for column in columns), strict=True)
            row_of += array("i", [rows.place(self._different[place], values) for values in own])
        return row_of


def _segments(items: Sequence[Item]) -> list[tuple[int, int, int]]:
    """Return (group, start, end) of the runs of items of the same group."""
    segments, start = [], 0
    for group, members in groupby(items, key=lambda item: item.group):
        end = start + sum(1 for _ in members)
        segments.append((group, start, end))
        start = end
    return segments
