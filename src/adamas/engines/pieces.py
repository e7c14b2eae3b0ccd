"""Where a plan finds the tensors it steps: the weights and gradients themselves or, of DTensors, what is local of them.

In the steady state that is one attribute a tensor: nothing is dispatched through DTensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any

import torch

from adamas.engines.launch import Item
from adamas.shards import Cut, locals_of

_Tensor = torch.Tensor
_grad, _spec = attrgetter("grad"), attrgetter("_spec")


class Pieces:
    """The local tensors of items whose gradients are dense.

    Args:
        items: in the plan's order.

    Attributes:
        steady: whether a weight that is the same tensor looks the same and lies where it did: what is local of a
            DTensor changes by another tensor in its place. (``p.data = ...`` does not reach it, ``module.to(...)``
            swaps it.)
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._owners = [item.owner for item in items]
        self._cuts: list[tuple[int, Cut]] = [(i, item.cut) for i, item in enumerate(items) if item.cut is not None]
        self._sharded = [i for i, item in enumerate(items) if item.cut is not None and item.sharded]
        self.steady = len(self._sharded) == len(items)
        grads = list(map(_grad, self._owners))
        self._specs = [_spec(grads[i]) for i in self._sharded]
        self._planned = locals_of(self._owners) if self._sharded else []
        # What is more than an attribute away: pieces of plain gradients, and those that are placed otherwise.
        self._moved = [(i, cut) for i, cut in self._cuts if not items[i].sharded or _is_elsewhere(grads[i], cut)]

    def weights(self) -> list[_Tensor] | None:
        """Return what is local of every weight; None if it is another tensor than planned."""
        if not self._sharded:
            return self._owners
        weights = locals_of(self._owners)
        return weights if all(map(is_, weights, self._planned)) else None

    def grads(self) -> list[Any]:
        """Return what is local of every gradient; of all of them None if one is placed otherwise than planned."""
        if not self._cuts:
            return list(map(_grad, self._owners))
        with torch._C.DisableTorchFunctionSubclass():  # a getter of a subclass asks for overrides first: half its time
            grads: list[Any] = list(map(_grad, self._owners))
        if not self._are_placed_as_planned(grads):
            return [None] * len(grads)
        found = locals_of(grads) if self._sharded else grads[:]
        for i, cut in self._moved:
            found[i] = None if grads[i] is None else cut.gradient(grads[i])
        return found

    def _are_placed_as_planned(self, grads: list[Any]) -> bool:
        chosen = grads if len(self._sharded) == len(grads) else [grads[i] for i in self._sharded]
        try:
            return all(map(is_, map(_spec, chosen), self._specs)) or list(map(_spec, chosen)) == self._specs
        except AttributeError:  # one is missing, or no DTensor
            return False


def _is_elsewhere(grad: Any, cut: Cut) -> bool:
    # One that is still on its way from other processes is no plain tensor yet.
    return tuple(grad.placements) != cut.placements or type(grad._local_tensor) is not _Tensor
