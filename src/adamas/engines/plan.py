"""Plans a step: the tensors of all groups become a few launches, kept until something they depend on changes.

In the steady state a step costs Python: one pass over the gradients (and the tensors they meet) to see that nothing
moved, one look at all that groups and state hold, and one call per launch.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

import torch

from adamas.engines.across import Across
from adamas.engines.batch import Batch
from adamas.engines.launch import Item
from adamas.engines.looks import Looks
from adamas.engines.objects import addresses, identical
from adamas.engines.pieces import Pieces
from adamas.engines.states import State
from adamas.engines.statistics import Reading
from adamas.rules import Rule

_Tensor = torch.Tensor
_Groups = list[dict[str, Any]]
_States = dict[_Tensor, dict[str, Any]]

# What of a group decides how a step is planned. A change of anything else (lr, betas, ...) is only read.
structure = itemgetter("engine", "state_format", "rounding", "seed", "differentiable", "sparse", "row_steps")
_params = itemgetter("params")


class Toucher(Protocol):
    """Finds the rows that the sparse gradient of a parameter touches."""

    def touch(self, group: dict[str, Any], settings: int) -> Any | None:
        """Return what a batch takes for a gradient, or None if the gradient or the weight are not as planned.

        Args:
            group: the parameter's group.
            settings: a number that is another one whenever a hyper-parameter is.
        """
        ...


class Gathering(Protocol):
    """Sends the pieces of weights that were stepped to processes that have the whole."""

    def begin(self, items: Sequence[Item]) -> None:
        """Prepare for the items of a plan."""
        ...

    def stepped(self, items: Sequence[Item]) -> None:
        """Take items that were stepped."""
        ...

    def finish(self) -> None:
        """Wait until all weights are here."""
        ...


class Plan:
    """Batches for the parameters that have a gradient now.

    Args:
        groups: the optimizer's parameter groups.
        rules: the rule of each group.
        batches: items that share an engine and a program; together all that have a gradient.
        absent: the parameters without a gradient.
        states: the optimizer's state.
        sparse: batches of one parameter with a sparse gradient each, and what finds the rows that it touches.

    Attributes:
        dense: how many of the gradients are dense; they come first.
        items: the parameters, in the order in which `grads` returns their gradients.
        look: whether the next step is to take statistics, of dense gradients.
        updates: items and the RMS of their updates in the last step, where their groups clip them.
        across: adds sums over pieces of parameters up to those over whole ones.
    """

    def __init__(
        self,
        groups: _Groups,
        rules: list[type[Rule]],
        batches: Sequence[Batch],
        absent: Sequence[_Tensor],
        states: _States,
        sparse: Sequence[tuple[Batch, Toucher]] = (),
    ) -> None:
        self._groups, self._rules, self._absent, self._states = groups, rules, absent, states
        self._batches = [*batches, *(batch for batch, _ in sparse)]
        self.look = False
        self.updates: list[tuple[Sequence[Item], array]] = []
        self._structure = list(map(structure, groups))
        self._settings = 0  # another number whenever a hyper-parameter may be another
        self._seen: list[Any] = []  # what groups and state held then
        self.items: list[Item] = list(chain.from_iterable(batch.items for batch in self._batches))
        self.dense = len(self.items) - len(sparse)
        self._touchers = [(toucher, groups[batch.items[0].group]) for batch, toucher in sparse]
        self._pieces = Pieces(self.items[: self.dense])
        self.across = Across(self.items)
        weights, grads = self._pieces.weights() or [], self._pieces.grads()
        self._looks = Looks(grads if self._pieces.steady else [*weights, *grads])
        self._addresses = addresses(weights)
        self._members = list(_members(groups))
        self._own_states = list(states.values())
        self._tensors = list(_tensors(self._own_states))
        self._changes = State.changes

    def grads(self, groups: _Groups, rule: Callable[[dict[str, Any]], type[Rule]], states: _States) -> list[Any] | None:
        """Return the gradients in the plan's order, or None if the plan no longer fits; of sparse ones what they touch.

        Args:
            groups: the parameter groups now.
            rule: says which rule a group asks for.
            states: the optimizer's state now.
        """
        if groups is not self._groups or states is not self._states:
            return None
        seen = list(chain(_members(groups), states.values(), chain.from_iterable(map(dict.values, groups))))
        if State.changes != self._changes or not identical(seen, self._seen):
            if not self._fits(rule):
                return None
            self._settings += 1
            self._seen = [] if _has_tensor(groups) else seen  # which can change where it is
        grads = self._dense_grads() if self.dense else []
        if grads is None or (self._absent and any(p.grad is not None for p in self._absent)):
            return None
        for toucher, group in self._touchers:
            touched = toucher.touch(group, self._settings)
            if touched is None:
                return None
            grads.append(touched)
        return grads

    def _dense_grads(self) -> list[Any] | None:
        """Return the dense gradients; None if they or their weights are not as planned."""
        pieces = self._pieces
        weights, grads = pieces.weights(), pieces.grads()
        if weights is None or not self._looks.same(*([] if pieces.steady else weights), *grads):
            return None
        # p.data = ... can change the address alone, but not that of what is local of a DTensor.
        return grads if pieces.steady or addresses(weights) == self._addresses else None

    def run(self, grads: Sequence[Any], inverse_scale: float, gathering: Gathering | None = None) -> None:
        """Take one step with the gradients that `grads` returned.

        Args:
            grads: the gradients, in the plan's order.
            inverse_scale: what to multiply them with: 1 over the gradient scaler's scale.
            gathering: sends other processes what this one has stepped, if they need it.
        """
        start, self.updates = 0, []
        if gathering is not None:
            gathering.begin(self.items)
        for batch in self._batches:
            end = start + len(batch.items)
            look = self.look and start < self.dense
            batch.run(grads[start:end], self._groups, inverse_scale, look=look, settings=self._settings)
            if batch.update_rms is not None:
                self.updates.append((batch.items, batch.update_rms))
            start = end
            if gathering is not None:
                gathering.stepped(batch.items)
        if gathering is not None:
            gathering.finish()

    def readings(self) -> list[Reading]:
        """Return the statistics of the last step, if they were taken, in the order of the items."""
        return list(chain.from_iterable(batch.readings for batch in self._batches))

    def _fits(self, rule: Callable[[dict[str, Any]], type[Rule]]) -> bool:
        """Say whether groups have the parameters, and ask for the kind of step, that the plan was made for.

        So must every state be the dict, with the tensors.
        """
        groups = self._groups
        if list(map(rule, groups)) != self._rules or list(map(structure, groups)) != self._structure:
            return False
        if not identical(list(_members(groups)), self._members):
            return False
        if not identical(list(self._states.values()), self._own_states):
            return False
        changes = State.changes
        if changes != self._changes and not identical(list(_tensors(self._own_states)), self._tensors):
            return False
        self._changes = changes
        return True


def _members(groups: _Groups) -> Iterable[_Tensor]:
    return chain.from_iterable(map(_params, groups))


def _has_tensor(groups: _Groups) -> bool:
    """Say whether a hyper-parameter is a tensor."""
    kinds = set(map(type, chain.from_iterable(map(dict.values, groups))))
    return any(issubclass(kind, _Tensor) for kind in kinds)


def _tensors(states: Sequence[dict[str, Any]]) -> Iterable[Any]:
    return chain.from_iterable(map(dict.values, states))
