"""What an engine is given: launches, each with many tensors that go through the same program."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, Protocol

import torch

from adamas.engines.rows import Rows
from adamas.formats import Stored
from adamas.rounding import Rounding
from adamas.rules import Rule
from adamas.shards import Cut, is_sharded


@dataclass(slots=True, eq=False)
class Item:
    """One parameter in a launch.

    Attributes:
        owner: the parameter as the optimizer has it.
        name: what errors call it.
        group: number of its parameter group.
        state: ``optimizer.state[owner]``.
        rule: the rule that its group asks for.
        rounding: how its weight and slots are written.
        param: the weight, as real numbers: for a complex parameter a view with a last dimension of 2.
        low: bits of the weight that its dtype has no room for, if the rounding keeps them.
        slots: the rule's slots, likewise as real numbers.
        stream: key of its random numbers.
        fresh: True until the first step after its slots were made.
        cut: how it is cut, if weight and slots here are a piece of it.
    """

    owner: torch.Tensor
    name: str
    group: int
    state: dict[str, Any]
    rule: type[Rule]
    rounding: Rounding
    param: torch.Tensor
    low: torch.Tensor | None
    slots: tuple[Stored, ...]
    stream: int
    fresh: bool
    cut: Cut | None = None

    @property
    def numel(self) -> int:
        """How many real numbers the whole parameter has."""
        return self.param.numel() if self.cut is None else prod(self.cut.shape) * (2 if self.owner.is_complex() else 1)

    @property
    def sharded(self) -> bool:
        """Whether it is a DTensor, whose gradient is one too."""
        return is_sharded(self.owner)

    @property
    def origin(self) -> tuple[int, list[int]] | None:
        """Where the first element is in the whole, and how far the next is in each dimension; None if it is whole."""
        return None if self.cut is None else self.cut.index(self.owner.is_complex())

    def index(self) -> torch.Tensor | None:
        """Return the place of every element in the whole parameter, row-major; None if that is simply 0, 1, ..."""
        if self.origin is None:
            return None
        first, strides = self.origin
        index = torch.full((), first, dtype=torch.int64, device=self.param.device)
        for dim, stride in enumerate(strides):
            along = torch.arange(self.param.shape[dim], device=self.param.device) * stride
            index = index.unsqueeze(-1) + along
        return index

    @property
    def compute(self) -> torch.dtype:
        """The dtype that the rule computes in."""
        return torch.float64 if self.param.dtype == torch.float64 else torch.float32


class Look(NamedTuple):
    """What statistics of a step need beside its numbers.

    Attributes:
        first: which slot holds m, or -1.
        second: which slot holds v, or -1.
        limits: for each row 0.9 lr, unbias (v^ = unbias v), eps^2 and (10 eps)^2.
    """

    first: int
    second: int
    limits: array


class Launch(Protocol):
    """Items that one engine steps together."""

    items: Sequence[Item]

    def run(
        self,
        grads: Sequence[torch.Tensor],
        rows: Rows,
        row_of: array,
        steps: array,
    ):
        """Take one step.

        Args:
            grads: the gradients of the items.
            rows: the numbers of this step.
            row_of: which row each item takes (int32).
            steps: the step each item is at (float64), the key of its random numbers.
        """
        ...

    def ratios(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, slot: int, moments: array
    ) -> array:
        """Return the sum of g^2 / max(v, floor) of every item, before the step that `run` would take.

        Args:
            grads: as for `run`, and so are rows, row_of and steps.
            rows: the numbers of this step.
            row_of: which row each item takes.
            steps: the step each item is at.
            slot: which slot holds v.
            moments: for each row decay, take, unbias and floor; v = (decay slot + take g^2) unbias.
        """
        ...

    def statistics(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, look: Look, run: bool
    ) -> Sequence[float]:
        """Return the numbers of `adamas.engines.statistics.Sums` of every item, before the step that `run` would take.

        Args:
            grads: as for `run`, and so are rows, row_of and steps.
            rows: the numbers of this step.
            row_of: which row each item takes.
            steps: the step each item is at.
            look: what else they need.
            run: whether to take that step, too: together they read the operands once.
        """
        ...


def as_real(x: torch.Tensor) -> torch.Tensor:
    """Return a complex tensor as real numbers with a last dimension of 2, a real one as it is, negations resolved."""
    return torch.view_as_real(x.resolve_conj()).resolve_neg() if x.is_complex() else x.resolve_neg()
