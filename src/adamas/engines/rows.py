"""The numbers of one step: a row for each different group and value of the counters, equal ones only once."""

from __future__ import annotations

from array import array
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from adamas.rules import Rule
from adamas.rules.rule import Part


class Around(NamedTuple):
    """What the engine does around every rule: p <- keep p - u, on the gradient factor g + l2 p.

    Attributes:
        keep: 1 - lr weight_decay if decay is decoupled, else 1.
        l2: weight_decay if decay is coupled, else 0.
        factor: -1 if maximizing, divided by the gradient scaler's scale.
    """

    keep: float
    l2: float
    factor: float


class Rows:
    """Rows for one batch in one step: those around the rule, then the rule's own, all in one array for the C ABI.

    Args:
        rule: the batch's rule.
        others: the counters besides ``step``, with their dtypes.
        inverse_scale: what gradients are multiplied with: 1 over the gradient scaler's scale.
        part: which part of the step's gradients is being taken; None if all of them.

    Attributes:
        numbers: row after row, in float64.
        advanced: for each row, the counters besides ``step`` as they are after this step.
        sources: for each row, the hyper-parameters and counters it was made from.
        width: how many numbers a row has.
    """

    def __init__(
        self, rule: type[Rule], others: dict[str, torch.dtype], inverse_scale: float, part: Part | None = None
    ) -> None:
        self.numbers = array("d")
        self.advanced: list[dict[str, float]] = []
        self.sources: list[tuple[SimpleNamespace, tuple[float, ...]]] = []
        self._rule, self._others, self._inverse_scale, self._part = rule, others, inverse_scale, part
        self._advances = rule.advance is not Rule.advance
        self._known: dict[tuple[int, tuple[float, ...]], int] = {}
        self._names: tuple[str, ...] = ()
        self.width = len(Around._fields)

    def place(self, h: SimpleNamespace, counters: tuple[float, ...]) -> int:
        """Return the number of the row for these hyper-parameters and counters (the step first)."""
        key = (id(h), counters)
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = len(self.sources)
            self.add(h, counters)
        return place

    def add(self, h: SimpleNamespace, counters: tuple[float, ...]) -> None:
        """Add the row for these hyper-parameters and counters, which is known to be new."""
        self.sources.append((h, counters))
        scalars = self._with_others(h, counters) if self._others else self._rule.scalars(h, counters[0])
        if not self._names:
            self._names, self.width = tuple(scalars), len(Around._fields) + len(scalars)
        around = (h.keep, h.l2, h.sign * self._inverse_scale)
        if self._part is not None:
            around, scalars = self._fold(Around(*around), scalars, self._part)
        self.numbers += array("d", (*around, *scalars.values()))

    @classmethod
    def given(cls, rule: type[Rule], numbers: list[float]) -> Rows:
        """Return one row of numbers that were made before.

        Raises:
            ValueError: if they are too few or too many for the rule.
        """
        from adamas.rules.cpp import scalar_names  # a program of its own, which the package must not have imported

        rows = cls(rule, {}, 1.0)
        rows._names = scalar_names(rule)
        rows.width = len(Around._fields) + len(rows._names)
        if len(numbers) != rows.width:
            raise ValueError(f"a step of {rule.__name__} takes {rows.width} numbers, not {len(numbers)}")
        rows.numbers.extend(numbers)
        return rows

    def row(self, place: int) -> tuple[Around, SimpleNamespace]:
        """Return what is done around the rule and the rule's scalars."""
        keep, l2, factor, *scalars = self.numbers[place * self.width : (place + 1) * self.width]
        return Around(keep, l2, factor), SimpleNamespace(**dict(zip(self._names, scalars, strict=True)))

    def _fold(self, around: Around, scalars: dict[str, float], part: Part) -> tuple[Around, dict[str, float]]:
        """Return the numbers for one part of the gradient: the weight moves with the last one."""
        factor, scalars = self._rule.fold(scalars, part)
        keep = around.keep if part.number == part.of else 1.0
        return Around(keep, factor * around.l2 / part.of, factor * around.factor), scalars

    def _with_others(self, h: SimpleNamespace, counters: tuple[float, ...]) -> dict[str, float]:
        others = dict(zip(self._others, counters[1:], strict=True))
        if self._advances:
            others = self._advance(h, counters[0], others)
        self.advanced.append(others)
        return self._rule.scalars(h, counters[0], **others)

    def _advance(self, h: SimpleNamespace, t: float, others: dict[str, float]) -> dict[str, float]:
        tensors: dict[str, Any] = {name: torch.tensor(x, dtype=self._others[name]) for name, x in others.items()}
        return {name: x.item() for name, x in self._rule.advance(h, t, **tensors).items()}
