"""RMSProp, in its four forms."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class RMSprop(Optimizer):
    """RMSProp: steps divided by a running root mean square of the gradients.

    Update, with g the gradient (plus weight_decay p):

        v = alpha v + (1 - alpha) g^2
        a = alpha a + (1 - alpha) g  and  d = sqrt(v - a^2) + eps  if centered, else  d = sqrt(v) + eps
        momentum = 0:  u = lr g / d
        otherwise:     b = momentum b + g / d,  u = lr b
        p = p - u

    Differs from torch: v - a^2 is held at zero where rounding takes it below (torch gives NaN); 16-bit weights and
    moments are rounded stochastically.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units, >= 0; a float or a 1-element tensor.
        alpha: decay of v and a, >= 0; their memory is about 1 / (1 - alpha) steps.
        eps: added to the root, >= 0; in gradient units.
        weight_decay: L2 coefficient, >= 0.
        momentum: decay of the buffer, >= 0.
        centered: divide by the standard deviation instead of the root mean square.
        capturable: keep the step on the device, for CUDA graphs; see `adamas.capturing`.
        foreach: a hint of torch's that changes nothing.
        maximize: ascend.
        differentiable: let autograd record the step (reference engine).
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
        ``step``, ``square_avg``; ``grad_avg`` if centered; ``momentum_buffer`` with momentum.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Hinton 2012, "Neural networks for machine learning", lecture 6e; Graves 2013, arXiv 1308.0850 (centered).

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.RMSprop([w], lr=0.01)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.9
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
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
        self._start(params, collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return one of the four forms of RMSProp."""
        if group["centered"]:
            return rules.RMSpropCenteredMomentum if group["momentum"] > 0 else rules.RMSpropCentered
        return rules.RMSpropMomentum if group["momentum"] > 0 else rules.RMSprop
