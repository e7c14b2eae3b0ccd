"""Sparse gradients on the reference engine: touched rows are copied out, stepped as any tensor, and put back."""

from __future__ import annotations

from array import array
from dataclasses import replace

import torch

from adamas.engines.launch import Item
from adamas.engines.reference import step_item
from adamas.engines.rows import Rows
from adamas.rounding import Dice
from adamas.rules import AMSGrad
from adamas.sparse.catch_up import catch_up, missed
from adamas.sparse.gradients import Touched
from adamas.sparse.lag import SWEEP
from adamas.sparse.launch import RowsLaunch


class ReferenceRows(RowsLaunch):
    """Touched rows of one parameter, in eager PyTorch."""

    def _step(self, touched: Touched, rows: Rows, row_of: array, places: torch.Tensor | None, steps: array) -> None:
        if self.lag is not None:
            self._move(touched.rows)
            self.lag.last[touched.rows] = int(steps[0])
        self._step_rows(touched, touched.merged(), rows, row_of, places, steps[0])
        if self.lag is not None and self.lag.table is not None:
            self.lag.table.advance()

    def _step_rows(
        self, touched: Touched, grads: torch.Tensor, rows: Rows, row_of: array, places: torch.Tensor | None, step: float
    ) -> None:
        """Step the touched rows, none of which lags."""
        if places is None:
            self._step_some(touched.rows, grads, rows, row_of[0], int(step))
            return
        for place in places.unique().tolist():
            mine = (places == place).nonzero()[:, 0].to(grads.device)
            self._step_some(touched.rows[mine], grads[mine], rows, place, int(step))

    def _step_some(self, where: torch.Tensor, grads: torch.Tensor, rows: Rows, place: int, step: int) -> None:
        """Step some rows by one row of numbers."""
        part = self._take(where)
        step_item(part, grads.view(part.param.shape), *rows.row(place), step, self._index(where, part.param))
        self._put(where, part)

    def _move(self, rows: torch.Tensor | None) -> int:
        lag = self.lag
        if lag is None or lag.table is None:
            return 0
        behind = lag.last != lag.table.now if rows is None else lag.last[rows] != lag.table.now
        rows = behind.nonzero()[:, 0] if rows is None else rows[behind].long()
        for some in rows.split(max(1, SWEEP // max(1, self.width))):
            self._move_some(some)
        lag.last[rows] = lag.table.now
        return len(rows)

    def _move_some(self, where: torch.Tensor) -> None:
        """Catch up some rows, all of them behind."""
        lag = self.lag
        assert lag is not None
        assert lag.table is not None
        part, compute = self._take(where), self.item.compute
        weights = part.rounding.read(part.param, part.low, compute)
        x, *slots = (
            each.reshape(len(where), self.width)
            for each in (weights, *(slot.format.read(slot, compute) for slot in part.slots))
        )
        top = slots[2] if self.item.rule is AMSGrad else None
        new = catch_up(lag.table, missed(lag.table, lag.last[where]), x, slots[0], slots[1], top)
        y, *moments = (each.view(part.param.shape) for each in new)
        index = self._index(where, part.param)
        part.rounding.write(part.param, y, Dice(part.stream, lag.table.now, 0, index), part.low)
        for place, (slot, value) in enumerate(zip(part.slots[:2], moments, strict=True)):
            dice = Dice(part.stream, lag.table.now, 2 + place, index)
            slot.format.write(slot, value, part.rounding.moments, dice)
        self._put(where, part)

    def _flat(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor with all sparse dimensions as one."""
        return x if self.sparse_dim == 1 else x.view(self.height, *x.shape[self.sparse_dim :])

    def _take(self, where: torch.Tensor) -> Item:
        """Return copies of some rows as an item of their own."""
        item = self.item
        param = self._flat(item.param)[where]
        slots = tuple(
            replace(
                slot,
                codes=self._flat(slot.codes)[where],
                scale=None if slot.scale is None else slot.scale[where],
                shape=param.shape,
            )
            for slot in item.slots
        )
        return replace(item, param=param, low=None if item.low is None else self._flat(item.low)[where], slots=slots)

    def _put(self, where: torch.Tensor, part: Item) -> None:
        """Write copies back to where they were taken from."""
        pairs = [(self.item.param, part.param)]
        for slot, copy in zip(self.item.slots, part.slots, strict=True):
            pairs.append((slot.codes, copy.codes))
            if slot.scale is not None and copy.scale is not None:
                slot.scale[where] = copy.scale
        if self.item.low is not None and part.low is not None:
            pairs.append((self.item.low, part.low))
        for whole, some in pairs:
            self._flat(whole)[where] = some

    def _index(self, where: torch.Tensor, param: torch.Tensor) -> torch.Tensor:
        """Return the row-major index in the whole parameter of the elements of some rows."""
        columns = torch.arange(self.width, device=where.device)
        return (where.unsqueeze(1) * self.width + columns).view(param.shape)
