"""One parameter whose step is taken inside backward: its launch, made anew when something it depends on has changed."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import is_
from typing import Any

import torch

from adamas.engines.batch import Batch
from adamas.engines.launch import Item
from adamas.engines.looks import Looks
from adamas.engines.norms import Squares
from adamas.engines.plan import structure
from adamas.engines.select import batches, choose
from adamas.planning import check_gradient, check_placement, make_item, stream_name
from adamas.rules import Rule
from adamas.rules.rule import Part
from adamas.shards import Cut, local, piece_of


class Member:
    """A released parameter.

    Args:
        p: the parameter.
        number: of its group.
        place: in its group.
        name: what errors call it.

    Attributes:
        fired: how many gradients have come since the last ``optimizer.step()``.
        squares: the sum of squares of the last gradient, where it was asked for.
    """

    def __init__(self, p: torch.Tensor, number: int, place: int, name: str) -> None:
        self.p, self.number, self.place, self.name = p, number, place, name
        self.fired, self.squares = 0, 0.0
        self._batch: Batch | None = None
        self._made_for: tuple[Any, ...] = ()
        self._looks: Looks | None = None
        self._sum: Squares | None = None
        self._cut: Cut | None = None

    @property
    def items(self) -> Sequence[Item]:
        """The item that was stepped last, as a launch has it."""
        return self._batch.items if self._batch else ()

    @property
    def update_rms(self) -> array | None:
        """RMS of the last update, if its group clips updates."""
        return self._batch.update_rms if self._batch else None

    def piece(self, optimizer: Any, grad: torch.Tensor) -> torch.Tensor:
        """Return what this process steps with: the gradient, or of a DTensor its piece."""
        self._cut = optimizer._how(self.p)
        if self._cut is None:
            return grad
        check_placement(self.name, self.p, grad, self._cut)
        return self._cut.gradient(grad)

    def measure(self, grad: torch.Tensor) -> None:
        """Take the gradient's sum of squares."""
        if self._sum is None or self._looks is None or not self._looks.same(local(self.p), grad):
            self._sum = Squares([grad])
        self.squares = self._sum.of([grad])[0]

    def step(self, optimizer: Any, grad: torch.Tensor, factor: float, part: Part | None) -> None:
        """Step the parameter.

        Args:
            optimizer: whose groups and state are read as they are now.
            grad: the gradient, or its piece.
            factor: what to multiply it with.
            part: which part of the step's gradient it is; None if it is all of it.
        """
        group = optimizer.param_groups[self.number]
        rule = optimizer.rule(group)
        batch = self._batch
        if batch is None or not self._still_fits(optimizer, group, rule, grad):
            batch = self._make(optimizer, group, rule, grad)
        batch.run([grad], optimizer.param_groups, factor, part)

    def _still_fits(self, optimizer: Any, group: dict[str, Any], rule: type[Rule], grad: torch.Tensor) -> bool:
        state = optimizer.state.get(self.p)
        if state is None or self._looks is None or not self._looks.same(local(self.p), grad):
            return False
        now = (rule, structure(group), local(self.p).data_ptr(), state, *state.values())
        before = self._made_for
        return len(now) == len(before) and now[:3] == before[:3] and all(map(is_, now[3:], before[3:]))

    def _make(self, optimizer: Any, group: dict[str, Any], rule: type[Rule], grad: torch.Tensor) -> Batch:
        check_gradient(self.name, piece_of(self.p, self._cut), grad)
        key = stream_name(optimizer.param_groups, self.number, self.place)
        item = make_item(self.p, self.name, self.number, group, rule, optimizer.state, key, self._cut)
        batch = self._batch = batches([item], [grad], [choose(item, grad, group["engine"])])[0]
        state = optimizer.state[self.p]
        self._made_for = (rule, structure(group), local(self.p).data_ptr(), state, *state.values())
        self._looks = Looks([local(self.p), grad])
        return batch
