"""What an optimizer does inside: how far it moves each tensor, and how much of it sits under eps.

Measured in the training step that an evaluation follows, off the clock.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.optim import Optimizer


class Internal(BaseModel):
    """What the optimizer did to one parameter tensor, one number per evaluation after step 0.

    None stands where there is no number: no gradient, no second moment, weights that are all zero, divergence.

    Args:
        name: the parameter's name in the model.
        steps: the training steps that were measured.
        update_ratio: size of the update relative to the weights before it, as root mean squares.
        under_eps: share of coordinates whose root of the (bias-corrected) second moment is under 10 eps, so
            that eps decides their step; None if the optimizer keeps no such moment, or not as numbers.
        effective_lr: median of |update / gradient| over the coordinates with a gradient: the learning rate
            with which plain SGD would have taken the same step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    steps: tuple[int, ...] = ()
    update_ratio: tuple[float | None, ...] = ()
    under_eps: tuple[float | None, ...] = ()
    effective_lr: tuple[float | None, ...] = ()


# State keys of second moments, and whether the optimizer divides them by 1 - beta2^t before it takes the root.
_SECOND_MOMENTS = {"exp_avg_sq": True, "square_avg": False, "sum": False}

Weights = dict[str, Tensor]
_Row = tuple[int, float | None, float | None, float | None]


def weights(model: nn.Module) -> Weights:
    """Copies of the trainable parameters, to compare with after the step."""
    return {name: each.detach().clone() for name, each in model.named_parameters() if each.requires_grad}


class Recorder:
    """Collects what the steps of one run do.

    Example:
        >>> from torch.optim import Adam
        >>> model, recorder = nn.Linear(2, 1, bias=False), Recorder()
        >>> optimizer, before = Adam(model.parameters(), lr=0.1), weights(model)
        >>> (2 * model.weight.sum()).backward()
        >>> optimizer.step()
        >>> recorder.measure(1, model, optimizer, before)
        >>> recorder.internals[0].effective_lr   # Adam's first step is lr, whatever the gradient: 0.1 / 2
        (0.05,)
    """

    def __init__(self):
        self._rows: dict[str, list[_Row]] = {}

    def measure(self, step: int, model: nn.Module, optimizer: Optimizer, before: Weights) -> None:
        """Adds what a step did.

        Args:
            step: number of the step.
            model: the model after it.
            optimizer: the optimizer that took it.
            before: the weights before it.
        """
        groups = {id(each): group for group in optimizer.param_groups for each in group["params"]}
        for name, parameter in model.named_parameters():
            if name not in before or id(parameter) not in groups:
                continue
            update = parameter.detach() - before[name]
            ratio = _ratio(update, before[name])
            share = _under_eps(optimizer.state.get(parameter, {}), groups[id(parameter)], parameter)
            rate = _effective_lr(update, parameter.grad)
            self._rows.setdefault(name, []).append((step, _rounded(ratio), _rounded(share), _rounded(rate)))

    @property
    def internals(self) -> tuple[Internal, ...]:
        """Everything measured, by parameter."""
        found = []
        for name, rows in self._rows.items():
            found.append(
                Internal(
                    name=name,
                    steps=tuple(row[0] for row in rows),
                    update_ratio=tuple(row[1] for row in rows),
                    under_eps=tuple(row[2] for row in rows),
                    effective_lr=tuple(row[3] for row in rows),
                )
            )
        return tuple(found)

    def resume(self, internals: Iterable[Internal]) -> None:
        """Goes on from what was measured before."""
        self._rows = {
            each.name: list(zip(each.steps, each.update_ratio, each.under_eps, each.effective_lr, strict=True))
            for each in internals
        }


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _ratio(update: Tensor, weight: Tensor) -> float:
    size = weight.double().norm().item()
    return update.double().norm().item() / size if size > 0 else math.nan


def _effective_lr(update: Tensor, gradient: Tensor | None) -> float:
    if gradient is None:
        return math.nan
    gradient = gradient.to_dense() if gradient.is_sparse else gradient
    moved = gradient != 0
    return (update[moved] / gradient[moved]).abs().median().item() if moved.any() else math.nan


def _under_eps(state: Mapping[str, Any], group: Mapping[str, Any], parameter: Tensor) -> float:
    for key, corrected in _SECOND_MOMENTS.items():
        moment = state.get(key)
        # A moment that is stored in blocks of codes is no tensor of numbers to compare with eps.
        if not isinstance(moment, Tensor) or moment.shape != parameter.shape or not moment.is_floating_point():
            continue
        steps = float(state.get("step", 0))
        correction = 1 - group["betas"][1] ** steps if corrected and "betas" in group and steps > 0 else 1.0
        small = (moment.double() / correction).sqrt() < 10 * group.get("eps", 0.0)
        return small.double().mean().item()
    return math.nan
