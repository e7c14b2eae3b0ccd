"""Plans a step: the tensors of all groups become a few launches, kept until something they depend on changes.

In the steady state a step costs Python: one pass over the gradients (and the tensors they meet) to see that nothing
moved, one look at every group's hyper-parameters, and one call per launch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter, is_, itemgetter
from typing import Any

import torch

from adamas.engines.batch import Batch
from adamas.engines.launch import Item
from adamas.rules import Rule

_Tensor = torch.Tensor
_Groups = list[dict[str, Any]]

# What of a group decides how a step is planned. A change of anything else (lr, betas, ...) is only read.
structure = itemgetter("engine", "state_format", "rounding", "seed", "differentiable")

# What of a gradient must not change under a plan: the compiled engine will read its memory by address.
_LOOKS: tuple[Callable[[_Tensor], Any], ...] = (
    _Tensor.stride,
    _Tensor.numel,
    attrgetter("dtype"),
    _Tensor.is_neg,
)


class Plan:
    """Batches for the parameters that have a gradient now.

    Args:
        groups: the optimizer's parameter groups.
        rules: the rule of each group.
        batches: items that share an engine and a program; together all that have a gradient.
        absent: the parameters without a gradient.
        states: the optimizer's state.
    """

    def __init__(
        self,
        groups: _Groups,
        rules: Sequence[type[Rule]],
        batches: Sequence[Batch],
        absent: Sequence[_Tensor],
        states: dict[_Tensor, dict[str, Any]],
    ) -> None:
        self._groups, self._rules, self._batches, self._absent, self._states = (
            groups,
            rules,
            batches,
            absent,
            states,
        )
        self._structure = list(map(structure, groups))
        items: list[Item] = list(chain.from_iterable(batch.items for batch in batches))
        grads = [item.owner.grad for item in items]
        self._owners = [item.owner for item in items]
        self._complex = any(p.is_complex() for p in self._owners)
        self._looks = self._look_at([g for g in grads if g is not None])
        self._addresses = list(map(_Tensor.data_ptr, self._owners))
        self._own_states = [item.state for item in items]
        self._remembered = _by_key(self._own_states)

    def grads(self, rules: Sequence[type[Rule]]) -> list[_Tensor] | None:
        """Return the gradients in the plan's order, or None if the plan no longer fits.

        Args:
            rules: the rule that each group asks for now.
        """
        grads: list[Any] = [p.grad for p in self._owners]
        if any(g is None for g in grads) or any(p.grad is not None for p in self._absent):
            return None
        try:
            same = self._look_at(grads) == self._looks
        except (RuntimeError, NotImplementedError):  # a sparse gradient has no strides
            return None
        same = same and list(map(_Tensor.data_ptr, self._owners)) == self._addresses and self._state_is_same()
        return grads if same and list(rules) == self._rules and self._groups_are_same() else None

    def run(self, grads: Sequence[_Tensor], inverse_scale: float) -> None:
        """Take one step with the gradients that `grads` returned.

        Args:
            grads: the gradients, in the plan's order.
            inverse_scale: what to multiply them with: 1 over the gradient scaler's scale.
        """
        start = 0
        for batch in self._batches:
            end = start + len(batch.items)
            batch.run(grads[start:end], self._groups, inverse_scale)
            start = end

    def _look_at(self, grads: Sequence[_Tensor]) -> list[list[Any]]:
        looks = [list(map(look, grads)) for look in _LOOKS]
        return [*looks, list(map(_Tensor.is_conj, grads))] if self._complex else looks

    def _groups_are_same(self) -> bool:
        return list(map(structure, self._groups)) == self._structure

    def _state_is_same(self) -> bool:
        """Say whether every state is the dict, with the tensors, that the plan was made for."""
        if not all(map(is_, map(self._states.get, self._owners), self._own_states)):
            return False
        try:
            return all(all(map(is_, map(itemgetter(key), s), v)) for key, (s, v) in self._remembered.items())
        except KeyError:
            return False


def _by_key(states: Sequence[dict[str, Any]]) -> dict[str, tuple[list[dict[str, Any]], list[Any]]]:
    """Turn states inside out: for each key the states that have it, and its values in them."""
    remembered: dict[str, tuple[list[dict[str, Any]], list[Any]]] = {}
    for state in states:
        for key, value in state.items():
            holders, values = remembered.setdefault(key, ([], []))
            holders.append(state)
            values.append(value)
    return remembered
