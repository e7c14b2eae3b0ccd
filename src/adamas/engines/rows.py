"""The numbers of one step: a row for each different group and value of the counters, equal ones only once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from adamas.engines.launch import Around, Row
from adamas.rules import Rule


class Rows:
    """Rows for one batch in one step.

    Args:
        rule: the batch's rule.
        others: the counters besides ``step``, with their dtypes.
        inverse_scale: what gradients are multiplied with: 1 over the gradient scaler's scale.
    """

    def __init__(self, rule: type[Rule], others: dict[str, torch.dtype], inverse_scale: float) -> None:
        self.rows: list[Row] = []
        self.advanced: list[dict[str, float]] = []
        self._rule, self._others, self._inverse_scale = rule, others, inverse_scale
        self._advances = rule.advance is not Rule.advance
        self._known: dict[tuple[int, tuple[float, ...]], int] = {}

    def place(self, h: SimpleNamespace, counters: tuple[float, ...]) -> int:
        """Return the number of the row for these hyper-parameters and counters (the step first)."""
        key = (id(h), counters)
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = len(self.rows)
            t, others = counters[0], dict(zip(self._others, counters[1:], strict=True))
            if self._advances:
                others = self._advance(h, t, others)
            self.advanced.append(others)
            self.rows.append(Row(around(self._rule, h, self._inverse_scale), self._rule.scalars(h, t, **others)))
        return place

    def _advance(self, h: SimpleNamespace, t: float, others: dict[str, float]) -> dict[str, float]:
        tensors: dict[str, Any] = {name: torch.tensor(x, dtype=self._others[name]) for name, x in others.items()}
        return {name: x.item() for name, x in self._rule.advance(h, t, **tensors).items()}


def around(rule: type[Rule], h: SimpleNamespace, inverse_scale: float) -> Around:
    """Return what the engine does around the rule with these hyper-parameters."""
    decay = getattr(h, "weight_decay", 0.0)
    decoupled = getattr(h, "decoupled_weight_decay", rule.decoupled_weight_decay)
    return Around(
        1 - h.lr * decay if decoupled else 1.0,
        0.0 if decoupled else decay,
        -inverse_scale if getattr(h, "maximize", False) else inverse_scale,
    )
