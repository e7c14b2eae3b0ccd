"""The handle of gradient release: hooks that step in backward, and the check that ``optimizer.step()`` has become."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import torch

from adamas.engines.across import Across
from adamas.engines.norms import total_norm
from adamas.planning import parameter_name
from adamas.release.allocator import give_back
from adamas.release.member import Member
from adamas.release.refusals import SCALER, SPARSE, inside_ddp, refuse_model, refuse_settings
from adamas.reports import StepReport
from adamas.rules.rule import Part


class Release:
    """Parameters that are stepped inside backward. Made by ``optimizer.release(model)``.

    Args:
        optimizer: whose parameters, groups and state these are; all are looked up when they are needed.
        model: the module that the parameters belong to.
        accumulate: how many backward passes make a step, >= 1.
        fold: let each of these passes go into the moments at once, instead of adding gradients up in ``p.grad``.
        stale_clip_norm: clip with the norm of the step before.

    Attributes:
        steps: how many steps have been completed.
    """

    def __init__(
        self, optimizer: Any, model: torch.nn.Module, accumulate: int, fold: bool, stale_clip_norm: bool
    ) -> None:
        if type(accumulate) is not int or accumulate < 1:
            raise ValueError(f"accumulate must be an integer of at least 1, got {accumulate!r}")
        self._optimizer, self._accumulate, self._fold = optimizer, accumulate, fold and accumulate > 1
        self._stale, self._factor, self.steps = stale_clip_norm, 1.0, 0
        self._members = self._find_members()
        refuse_settings(optimizer, stale_clip_norm, self._fold)
        refuse_model(model, {p: member.name for p, member in self._members.items()})
        self._looked = False
        # The garbage collector does not see through autograd: were the hooks to hold this handle, and so the optimizer
        # and the parameters, a training that is dropped would stay for ever.
        fire = _weakly(self)
        hooks = [p.register_post_accumulate_grad_hook(fire) for p in self._members]
        give_back(True)
        self._undo = weakref.finalize(self, _undo, hooks)
        self._undo.atexit = False

    def remove(self) -> None:
        """Take the hooks off: ``optimizer.step()`` steps again."""
        self._undo()
        if self._optimizer._release is self:
            self._optimizer._release = None

    def finish(self) -> None:
        """Complete a step: see that every parameter has had its gradients, and begin to count anew.

        Raises:
            RuntimeError: if one had more or fewer, or a gradient scaler is at work.
        """
        if getattr(self._optimizer, "found_inf", None) is not None or (
            getattr(self._optimizer, "grad_scale", None) is not None
        ):
            raise RuntimeError(SCALER)
        fired = {member.name: member.fired for member in self._members.values() if member.p.requires_grad}
        for member in self._members.values():
            member.fired = 0
        wrong = [f"{name} ({count})" for name, count in fired.items() if count != self._accumulate]
        if wrong:
            raise RuntimeError(
                f"{self._accumulate} gradients a step were promised for every parameter, other numbers came for "
                f"{', '.join(wrong)}; those with all of theirs have been stepped. Call step() once after "
                f"{self._accumulate} backward passes, and freeze what takes no part (p.requires_grad_(False)), or "
                f"train such a model without release()"
            )
        self._refuse_strangers()
        self.steps += 1
        self._report()

    def _report(self) -> None:
        """Leave word of the step, and take its norm for the next one."""
        optimizer, members = self._optimizer, [m for m in self._members.values() if m.items]
        squares = None
        if self._stale:
            across = Across([item for member in members for item in member.items])
            squares = across.total([member.squares for member in members])
        optimizer.guards.last_step = StepReport(
            optimizer.param_groups,
            items=list(chain.from_iterable(member.items for member in members)),
            squares=squares,
            clip_factor=self._factor,
            updates=[(m.items, m.update_rms) for m in members if m.update_rms is not None],
        )
        if squares is not None:
            self._factor = optimizer.guards.clip_factor(total_norm(squares))

    def _fire(self, p: torch.Tensor) -> None:
        """Take what backward has just added to ``p.grad``."""
        member, grad = self._members[p], p.grad
        if grad is None:
            return
        self._refuse_gradient(member, grad)
        member.fired += 1
        if member.fired < self._accumulate and not self._fold:
            return
        part = Part(member.fired, self._accumulate) if self._fold else None
        with torch.no_grad():
            grad = member.piece(self._optimizer, grad)
            if self._stale:
                member.measure(grad)
            member.step(self._optimizer, grad, self._factor, part)
        p.grad = None

    def _refuse_gradient(self, member: Member, grad: torch.Tensor) -> None:
        if grad.layout != torch.strided:
            raise RuntimeError(f"{member.name} has {SPARSE}")
        if grad.requires_grad:
            raise RuntimeError(
                f"backward(create_graph=True) and gradient release do not go together: the gradient of {member.name} "
                f"is part of a graph, and would be freed before the second backward. Use release().remove() first"
            )
        if member.fired >= self._accumulate:
            raise RuntimeError(
                f"{member.name} got gradient number {member.fired + 1} in one step, {self._accumulate} were promised: "
                f"call optimizer.step() after every {self._accumulate} backward passes, or "
                f"release(..., accumulate=...) with their number. Its last gradient is in p.grad, it was not stepped"
            )
        if not self._looked:  # once, in the first backward: DDP may have come after release()
            self._looked = True
            if inside_ddp(set(self._members)):
                self._looked = False
                raise RuntimeError(
                    "the model was wrapped in DistributedDataParallel after release(): gradients are not averaged yet"
                )

    def _refuse_strangers(self) -> None:
        """Raise for parameters that have a gradient and no hook: they would never move."""
        for number, group in enumerate(self._optimizer.param_groups):
            for place, p in enumerate(group["params"]):
                if p.grad is not None and p not in self._members:
                    raise RuntimeError(
                        f"{parameter_name(self._optimizer.param_groups, number, place)} has a gradient, and was "
                        f"added or unfrozen after release(): call remove(), then release() again"
                    )

    def _find_members(self) -> dict[torch.Tensor, Member]:
        groups = self._optimizer.param_groups
        return {
            p: Member(p, number, place, parameter_name(groups, number, place))
            for number, group in enumerate(groups)
            for place, p in enumerate(group["params"])
            if p.requires_grad
        }


def _weakly(release: Release) -> Callable[[torch.Tensor], None]:
    """Return a hook that steps as long as the optimizer is there."""
    reference = weakref.ref(release)

    def fire(p: torch.Tensor) -> None:
        alive = reference()
        if alive is not None:
            alive._fire(p)

    return fire


def _undo(hooks: Iterable[Any]) -> None:
    for hook in hooks:
        hook.remove()
    give_back(False)
