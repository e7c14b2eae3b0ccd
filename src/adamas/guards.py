"""Guards between gradients and step: what to do when one is not finite, and how long all of them may be together.

Both need one number, the sum of squares of the gradients, which is read once and never written back: a step that clips
multiplies by a factor where it reads the gradient anyway. Nothing is looked at when neither guard is asked for.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from adamas.engines.across import Across
from adamas.engines.captured import CapturablePlan
from adamas.engines.decision import Asked
from adamas.engines.launch import Item
from adamas.engines.norms import Squares, total_norm
from adamas.engines.plan import Gathering, Plan
from adamas.hyperparameters import check_threshold
from adamas.reports import StepReport

NONFINITE = ("propagate", "skip", "raise")
_SHOWN = 10  # how many parameters an error names


class NonFiniteError(RuntimeError):
    """Gradients that are not finite, where the optimizer was told to stop at them. Nothing was changed."""


class Guards:
    """The guards of one optimizer; ``optimizer.guards``. They may be changed at any time.

    Args:
        nonfinite: ``propagate`` steps whatever the gradients are, as torch; ``skip`` takes no step when one of them
            is infinite or NaN; ``raise`` raises then.
        max_skips: how many steps in a row may be skipped before `NonFiniteError` is raised; None: any number.
        clip_norm: the largest norm that all gradients may have together, > 0, in gradient units; longer ones count
            as if multiplied by clip_norm / (norm + 1e-6), as in ``torch.nn.utils.clip_grad_norm_``. None: any.

    Raises:
        ValueError: for a value out of its range.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.zeros(2))
        >>> optimizer = adamas.SGD([w], lr=1.0, clip_norm=1.0)
        >>> w.grad = torch.tensor([3.0, 4.0])
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()], w.grad.tolist(), optimizer.last_step.norm
        ([-0.6, -0.8], [3.0, 4.0], 5.0)
    """

    def __init__(
        self, nonfinite: str = "propagate", max_skips: int | None = None, clip_norm: float | None = None
    ) -> None:
        self.nonfinite, self.max_skips, self.clip_norm = nonfinite, max_skips, clip_norm
        self._skipped = self._in_a_row = 0
        self._skips: torch.Tensor | None = None
        self._report: StepReport | Callable[[], StepReport] | None = None
        self._squares: tuple[Plan, Squares] | None = None

    @property
    def nonfinite(self) -> str:
        """What to do with a step whose gradients are not finite."""
        return self._nonfinite

    @nonfinite.setter
    def nonfinite(self, value: str) -> None:
        if value not in NONFINITE:
            raise ValueError(f"unknown nonfinite {value!r}: there are {', '.join(NONFINITE)}")
        self._nonfinite = value

    @property
    def max_skips(self) -> int | None:
        """How many steps in a row may be skipped."""
        return self._max_skips

    @max_skips.setter
    def max_skips(self, value: int | None) -> None:
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"max_skips must be None or an integer of at least 1, got {value!r}")
        self._max_skips = value

    @property
    def clip_norm(self) -> float | None:
        """The largest norm that all gradients may have together."""
        return self._clip_norm

    @clip_norm.setter
    def clip_norm(self, value: float | None) -> None:
        check_threshold("clip_norm", value)
        self._clip_norm = value

    @property
    def skipped(self) -> int:
        """How many steps were skipped; with ``capturable=True`` the host waits for the device to say it."""
        return self._skipped + (0 if self._skips is None else int(self._skips.item()))

    @property
    def last_step(self) -> StepReport | None:
        """What was seen and done in the last step, replayed or not."""
        return self._report() if callable(self._report) else self._report

    @last_step.setter
    def last_step(self, report: StepReport | None) -> None:
        self._report = report

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle and deepcopy keep: not what was prepared for tensors of another process."""
        return {**self.__dict__, "_squares": None, "_report": None, "_skips": None, "_skipped": self.skipped}

    def step(
        self,
        plan: Plan,
        grads: Sequence[Any],
        groups: list[dict[str, Any]],
        inverse_scale: float,
        undo: Callable[[], None],
        gathering: Gathering | None = None,
    ) -> None:
        """Let a plan take its step, or not.

        Args:
            plan: of the step.
            grads: what ``plan.grads`` returned.
            groups: the optimizer's parameter groups.
            inverse_scale: what to multiply the gradients with: 1 over the gradient scaler's scale.
            undo: called when the step is not taken, before anything is raised.
            gathering: sends other processes what this one has stepped, if they need it.

        Raises:
            NonFiniteError: if a gradient is not finite, and this one was not to be skipped.
        """
        squares, factor = None, 1.0
        if self._clip_norm is not None or self._nonfinite != "propagate":
            values = [*grads[: plan.dense], *(touched.merged() for touched in grads[plan.dense :])]
            squares = self._sum(plan, values)
            bad = broken(squares, values, plan.across) if self._nonfinite != "propagate" else []
            if bad:
                undo()
                why = describe_broken(bad, plan.items)
                self.skip(groups, why, items=plan.items, squares=squares, inverse_scale=inverse_scale)
                return
            factor = self.clip_factor(total_norm(squares, inverse_scale))
        plan.run(grads, inverse_scale * factor, gathering)
        self._in_a_row = 0
        self._report = partial(  # made when somebody asks for it
            StepReport,
            groups,
            items=plan.items,
            squares=squares,
            inverse_scale=inverse_scale,
            clip_factor=factor,
            updates=plan.updates,
        )

    def step_captured(
        self, plan: CapturablePlan, grads: Sequence[Any], groups: list[dict[str, Any]], found_inf: Any, scale: Any
    ) -> None:
        """Let the device decide whether a plan takes its step.

        Args:
            plan: of the step.
            grads: what ``plan.grads`` returned.
            groups: the optimizer's parameter groups.
            found_inf: what a gradient scaler found; None without one.
            scale: what it multiplied the loss with.
        """
        if self._skips is None or self._skips.device != plan.device:
            self._skipped = self.skipped
            self._skips = torch.zeros((), dtype=torch.int64, device=plan.device)
        plan.take(grads, Asked(found_inf, scale, self.nonfinite == "skip", self.clip_norm, self._skips))

        def report() -> StepReport:
            decided = plan.decision.decided()
            return StepReport(
                groups,
                skipped=not decided.taken,
                items=plan.items,
                squares=decided.squares,
                inverse_scale=decided.inverse_scale,
                clip_factor=decided.clip_factor,
            )

        self._report = report

    def clip_factor(self, norm: float) -> float:
        """Return what clipping multiplies gradients of this norm with: 1, less, or NaN if the norm is."""
        factor = 1.0 if self.clip_norm is None else self.clip_norm / (norm + 1e-6)
        return 1.0 if factor >= 1.0 else factor

    def skip(self, groups: list[dict[str, Any]], why: str, **seen: Any) -> None:
        """Count a step that is not taken.

        Args:
            groups: the optimizer's parameter groups.
            why: what was wrong with the gradients.
            **seen: what else the report of this step says.

        Raises:
            NonFiniteError: if it should not have been skipped, or is one too many in a row.
        """
        self.last_step = StepReport(groups, skipped=True, **seen)
        if seen and self.nonfinite == "raise":
            raise NonFiniteError(f"{why}; nothing was changed. (nonfinite='skip' goes on without such steps)")
        self._skipped += 1
        self._in_a_row += 1
        if self.max_skips is not None and self._in_a_row > self.max_skips:
            raise NonFiniteError(f"{self._in_a_row} steps in a row were skipped, max_skips is {self.max_skips}: {why}")

    def _sum(self, plan: Plan, grads: Sequence[Any]) -> array:
        """Return the gradients' sums of squares; what dense ones need is prepared once for each plan."""
        dense = grads[: plan.dense]
        if self._squares is None or self._squares[0] is not plan:
            self._squares = (plan, Squares(dense))
        sums = self._squares[1].of(dense)
        for merged in grads[plan.dense :]:  # of another size in every step
            sums += Squares([merged]).of([merged])
        return plan.across.total(sums) if plan.across else sums


def broken(squares: Sequence[float], grads: Sequence[torch.Tensor], across: Across) -> list[tuple[int, int, int]]:
    """Return the places of the gradients that have an infinity or a NaN, with how many NaN and how many infinities.

    Args:
        squares: their sums of squares, over whole parameters: all processes suspect the same gradients.
        grads: the gradients, of parameters that are cut their pieces.
        across: adds up what is over pieces.
    """
    suspects = [place for place, each in enumerate(squares) if not math.isfinite(each)]
    if not suspects:
        return []
    counts = array("d", bytes(16 * len(squares)))
    for place in suspects:
        grad = grads[place].detach()
        nans = int(grad.isnan().sum())
        counts[2 * place : 2 * place + 2] = array("d", [nans, grad.numel() - int(grad.isfinite().sum()) - nans])
    counts = across.total(counts, width=2)
    found = [(i, int(counts[2 * i]), int(counts[2 * i + 1])) for i in suspects]
    # Squares of float64 can overflow where the number itself does not.
    return [(i, nans, infinities) for i, nans, infinities in found if nans or infinities]


def describe_broken(bad: Sequence[tuple[int, int, int]], items: Sequence[Item]) -> str:
    """Return which parameters have a gradient that is not finite, and what is in it."""
    lines = [
        f"{items[i].name} ({nans} NaN and {infinities} infinite of {items[i].owner.numel()})"
        for i, nans, infinities in bad[:_SHOWN]
    ]
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return f"the gradient is not finite of {', '.join(lines)}{more}"
