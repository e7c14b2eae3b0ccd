"""Adamax."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class Adamax(Optimizer):
    """Adamax: Adam with the infinity norm in place of the second moment.

    Update, with g the gradient (plus weight_decay p):

        m = beta1 m + (1 - beta1) g
        n = max(beta2 n, |g| + eps)
        p = p - lr / (1 - beta1^t) m / n

    Differs from torch: 16-bit weights and moments are rounded stochastically.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; a float or a 1-element tensor.
        betas: decays of m and n, each in [0, 1).
        eps: added to |g|, >= 0; in gradient units.
        weight_decay: L2 coefficient, >= 0.
        foreach: a hint of torch's that changes nothing.
        maximize: ascend.
        differentiable: let autograd record the step (reference engine).
        capturable: keep the step on the device, for CUDA graphs; see `adamas.capturing`.
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
        ``step``, ``exp_avg``, ``exp_inf``.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Kingma & Ba 2015, arXiv 1412.6980, algorithm 2.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.Adamax([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.9
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
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
        """Return Adamax."""
        return rules.Adamax
