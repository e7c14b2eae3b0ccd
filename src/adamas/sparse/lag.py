"""Rows that lag behind the dense optimizer: since when, and what it takes to catch them up.

It is kept beside the optimizer's state, not in it: rows are caught up before the state is given away.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import torch

from adamas.engines.launch import Item
from adamas.pages import in_large_pages
from adamas.rules import AMSGrad, Rule
from adamas.sparse.merging import Room, different
from adamas.sparse.table import Table

_TOLERANCE = {torch.float32: 2.0**-25, torch.float64: 2.0**-54}
SWEEP = 1 << 20  # elements at a time where all rows are gone through: copies of them are no larger


class Behind(NamedTuple):
    """What a copy of a parameter whose rows lag takes along. See `Lag` for its parts."""

    sparse_dim: int
    last: torch.Tensor
    table: Table


class Lag:
    """How far the rows of one parameter are behind.

    Args:
        item: the parameter, its state and how they are written.
        height: how many rows it has.
        now: the step that all of them are at.

    Attributes:
        last: the step that each row is at (int32).
        table: the sums over steps; None before the first.
        mover: catches rows up: all, or those with these numbers; returns how many were behind. An engine's.
        sparse_dim: how many dimensions of the parameter its rows are counted along; an engine's, too.
        room: for the rows that are caught up or stepped.
    """

    def __init__(self, item: Item, height: int, now: int) -> None:
        self.item = item
        self.last = in_large_pages(torch.empty(height, dtype=torch.int32, device=item.param.device)).fill_(now)
        self.table: Table | None = None
        self._now = now
        self.mover: Callable[[torch.Tensor | None], int] | None = None
        self.sparse_dim = 1
        self.room = Room()

    @property
    def now(self) -> int:
        """The step that the parameter is at."""
        return self._now if self.table is None else self.table.now

    def belongs_to(self, item: Item, height: int) -> bool:
        """Say whether this is still the lag of a parameter's state, and of its rule."""
        same = [id(slot.codes) for slot in self.item.slots] == [id(slot.codes) for slot in item.slots]
        return same and self.moves(item) and self.item.rule is item.rule and len(self.last) == height

    def moves(self, item: Item) -> bool:
        """Say whether what it catches up, weights and both moments, is still what a parameter has, by whatever rule."""
        own = (self.item.param.data_ptr(), *(id(slot.codes) for slot in self.item.slots[:2]))
        return own == (item.param.data_ptr(), *(id(slot.codes) for slot in item.slots[:2]))

    def packed(self) -> Behind | None:
        """Return what a copy of the parameter has to catch up with; None if that is nothing."""
        if self.table is None or self.table.now == self.table.start:
            return None
        return Behind(self.sparse_dim, self.last, self.table)

    def prepare(self, h: SimpleNamespace, step: int) -> Table:
        """Return a new table, for a step that is no next one of the table there is; rows are flushed before.

        Args:
            h: the hyper-parameters of the step.
            step: the step to be taken.
        """
        self.flush()
        if self.now != step - 1:
            self._restart(step - 1)
        constant = self.item.rule is AMSGrad
        if constant and self.now > 0:
            self._cover_moments(h.beta2)
        self.table = Table(self.now, h, constant, _TOLERANCE[self.item.compute])
        return self.table

    def _cover_moments(self, beta2: float) -> None:
        """Raise AMSGrad's largest v to what it is after a step without a gradient, for rows that are about to lag.

        They divide by it as it is. After steps without ``amsgrad`` it may be less than v, or zero.
        """
        _, v, top = self.item.slots
        rows = max(1, SWEEP * len(v.codes) // max(1, self.item.numel))
        for some, most in zip(v.codes.split(rows), top.codes.split(rows), strict=True):
            moment = (some.to(self.item.compute) * beta2).to(most.dtype)
            if bool((moment > most).any()):  # else nothing is written: memory of zeros stays untouched
                torch.maximum(most, moment, out=most)

    def catch_up(self, rows: torch.Tensor | None) -> int:
        """Catch up some rows, in any order, or all; return how many were behind.

        Raises:
            IndexError: if there is no such row.
        """
        if self.table is None or self.table.now == self.table.start or self.mover is None:
            return 0
        with torch.no_grad():
            return self.mover(None if rows is None else different(self.item.name, rows, len(self.last), self.room))

    def flush(self) -> None:
        """Catch up all rows, and forget how they lagged."""
        if self.table is not None:
            self.catch_up(None)
            self._restart(self.table.now)

    def _restart(self, now: int) -> None:
        self._now, self.table = now, None
        self.last.fill_(now)


def check_exact(name: str, h: SimpleNamespace, rule: type[Rule]) -> None:
    """Raise RuntimeError for hyper-parameters with which rows cannot be caught up.

    Args:
        name: what errors call the parameter.
        h: its group's hyper-parameters, with what the engine does around the rule.
        rule: the group's rule.
    """
    instead = "use sparse='lazy', or p.grad.to_dense() before the step"
    if h.l2:
        raise RuntimeError(
            f"{name} has a sparse gradient and coupled decay (weight_decay={h.l2}), which enters v of rows that have "
            f"no gradient: there is no shortcut to what dense steps would do. Use AdamW or "
            f"decoupled_weight_decay=True, or {instead}"
        )
    if not h.keep > 0:
        raise RuntimeError(f"{name} has a sparse gradient and decays by {1 - h.keep:g} a step, all of it: {instead}")
    if rule is not AMSGrad and h.beta1**2 >= h.beta2:
        raise RuntimeError(
            f"{name} has a sparse gradient, and betas={h.betas} have beta1^2 >= beta2: steps without a gradient would "
            f"grow without end. Use a larger beta2, amsgrad=True, or {instead}"
        )
