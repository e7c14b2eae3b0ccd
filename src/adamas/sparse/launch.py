"""A launch of one parameter with a sparse gradient: what its engines have in common."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import prod
from types import SimpleNamespace
from typing import Any

import torch

from adamas.engines.hyper import hyperparameters, surround
from adamas.engines.launch import Item, Look
from adamas.engines.looks import Looks
from adamas.engines.rows import Rows
from adamas.sparse.gradients import Touched, height_of, refuse_settings, same_kind
from adamas.sparse.lag import Lag, check_exact
from adamas.sparse.merging import Room, entries_of, gather

ROW_STEP = "row_step"


class RowsLaunch:
    """One parameter whose touched rows are stepped.

    Args:
        item: the parameter.
        sparse_dim: how many dimensions of its gradients are sparse.
        lag: how far its rows are behind, if they follow the dense optimizer.
    """

    def __init__(self, item: Item, sparse_dim: int, lag: Lag | None) -> None:
        self.items: Sequence[Item] = [item]
        self.item, self.sparse_dim, self.lag = item, sparse_dim, lag
        self.height = height_of(item.param, sparse_dim)
        self.width = prod(item.param.shape[sparse_dim:])
        self._compute = item.compute
        self._checked = 0  # settings that go with a sparse gradient
        self._weight, self._address = Looks([item.owner]), item.owner.data_ptr()
        self._entries: Looks | None = None  # how entries look that can be taken as they are, and the weight beside them
        self._room = Room() if lag is None else lag.room
        if lag is not None:
            lag.item, lag.mover, lag.sparse_dim = item, self._move, sparse_dim

    def touch(self, group: dict[str, Any], settings: int) -> Touched | None:
        """Return the rows that the parameter's gradient touches, or None if it or the weight are not as planned.

        Args:
            group: the parameter's group.
            settings: a number that is another one whenever a hyper-parameter is.

        Raises:
            RuntimeError: if the gradient or its group's hyper-parameters cannot be used; nothing was changed then.
        """
        owner = self.item.owner
        grad = owner.grad
        if grad is None or grad.layout != torch.sparse_coo or owner.data_ptr() != self._address:
            return None
        index, values = grad._indices(), grad._values()
        if self._entries is None or not self._entries.same(index, values, owner):
            if not (self._weight.same(owner) and same_kind(owner, grad, self.sparse_dim)):
                return None
            seen, (index, values) = (index, values), entries_of(self.item.name, owner, grad)
            same = [each.data_ptr() for each in seen] == [index.data_ptr(), values.data_ptr()]
            if same and seen[1].dtype == values.dtype and len(seen[0]) == 1 and len(values) > 1:
                self._entries = Looks([*seen, owner], free=(1, 0))
        if settings != self._checked:
            self.check(group)
            self._checked = settings
        return gather(self.item.name, index, values, self.height, self._compute, self._room)

    def check(self, group: dict[str, Any]) -> None:
        """Raise RuntimeError for hyper-parameters that do not go with a sparse gradient."""
        refuse_settings(self.item.name, group)
        if self.lag is not None:
            check_exact(self.item.name, surround(hyperparameters(group), self.item.rule), self.item.rule)

    def run(self, grads: Sequence[Any], rows: Rows, row_of: array, steps: array) -> None:
        """Take one step for the rows of ``grads[0]``, a `Touched`."""
        touched: Touched = grads[0]
        h, lag = rows.sources[row_of[0]][0], self.lag
        if lag is not None and (lag.table is None or not lag.table.begin(h, steps[0])):
            lag.prepare(h, int(steps[0])).begin(h, steps[0])
        places = None
        if ROW_STEP in self.item.state:
            places = self._row_places(touched, rows, h)
        self._step(touched, rows, row_of, places, steps)

    def _row_places(self, touched: Touched, rows: Rows, h: SimpleNamespace) -> torch.Tensor:
        """Count the steps of the touched rows; return which row of numbers each of them takes (int32)."""
        counter = self.item.state[ROW_STEP]
        now = counter[touched.rows] + 1
        counter[touched.rows] = now
        distinct, place = torch.unique(now, return_inverse=True)
        numbers = [rows.place(h, (float(t),)) for t in distinct.tolist()]
        return torch.tensor(numbers, dtype=torch.int32)[place.cpu()]

    def ratios(self, grads: Sequence[Any], rows: Rows, row_of: array, steps: array, slot: int, moments: array) -> array:
        """Refuse: `touch` has said why."""
        raise RuntimeError(f"{self.item.name} has a sparse gradient: its update cannot be clipped")

    def statistics(
        self, grads: Sequence[Any], rows: Rows, row_of: array, steps: array, look: Look, run: bool
    ) -> Sequence[float]:
        """Refuse: plans ask of dense gradients alone, and `touch` has refused what else asks."""
        raise RuntimeError(f"{self.item.name} has a sparse gradient, of which there are no statistics")

    def _step(self, touched: Touched, rows: Rows, row_of: array, places: torch.Tensor | None, steps: array) -> None:
        """Catch up the touched rows if they lag, step them, note that they are up to date, and advance the table."""
        raise NotImplementedError

    def _move(self, rows: torch.Tensor | None) -> int:
        """Catch up these rows, increasing, or all of them; return how many were behind."""
        raise NotImplementedError


def are_contiguous(item: Item) -> bool:
    """Say whether weight, slots and bits below are row-major: their rows lie one after the other."""
    plain = [item.param, *(slot.codes for slot in item.slots), *([] if item.low is None else [item.low])]
    return all(x.is_contiguous() for x in plain)


def check_row_steps(name: str, counters: Sequence[Any]) -> None:
    """Raise ValueError if a rule's bias correction cannot be told row by row."""
    if [counter.name for counter in counters] != ["step"]:
        raise ValueError(f"{name}: row_steps=True is for rules that count steps and nothing else, as Adam and AdamW do")
