"""Stochastic gradient descent, with momentum and Nesterov's."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    Update, with g the gradient (plus weight_decay p):

        momentum = 0:  u = lr g
        otherwise:     b = momentum b + (1 - dampening) g    (b = g in the first step)
                       u = lr b,  or  lr (g + momentum b) with nesterov
        p = p - u

    Differs from torch: 16-bit weights are rounded stochastically (``rounding="nearest"`` for torch's way); a
    sparse gradient moves, decays and counts for the rows that it touches alone (torch turns the buffer dense).

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per gradient unit, >= 0; a float or a 1-element tensor.
        momentum: decay of the buffer, >= 0; its memory is about 1 / (1 - momentum) steps.
        dampening: share of the gradient that is kept out of the buffer.
        weight_decay: L2 coefficient, >= 0.
        nesterov: look ahead along the buffer; needs momentum > 0 and dampening 0.
        maximize: ascend.
        foreach: a hint of torch's that changes nothing.
        differentiable: let autograd record the step (reference engine).
        fused: a hint of torch's that changes nothing.
        decay_mode: see `Optimizer`.
        engine: see `Optimizer`.
        state_format: see `Optimizer`.
        rounding: see `Optimizer`.
        seed: see `Optimizer`.
        nonfinite: see `Optimizer`.
        max_skips: see `Optimizer`.
        clip_norm: see `Optimizer`.
        clip_update: see `Optimizer`.

    State:
        ``momentum_buffer`` (with momentum), ``step`` (only where stochastic rounding needs it).

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Robbins & Monro 1951; Polyak 1964; Sutskever et al. 2013 (Nesterov's momentum in this form).

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.SGD([w], lr=0.1, momentum=0.9)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.8
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Number = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        decay_mode: str = "auto",
        engine: str = "auto",
        state_format: str = "auto",
        rounding: str = "auto",
        seed: int = 0,
        nonfinite: str = "propagate",
        max_skips: int | None = None,
        clip_norm: float | None = None,
        clip_update: float | None = None,
    ) -> None:
        defaults = collect(locals())
        self._check_group(defaults)
        self._start(params, defaults)

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return plain descent, momentum or Nesterov's momentum."""
        if group["momentum"] == 0:
            return rules.SGD
        return rules.Nesterov if group["nesterov"] else rules.Momentum

    def _check_group(self, group: dict[str, Any]) -> None:
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
