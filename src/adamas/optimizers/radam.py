"""RAdam."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class RAdam(Optimizer):
    """RAdam: Adam whose adaptive steps begin only when the variance of 1 / sqrt(v) is bounded.

    Update, with g the gradient (plus weight_decay p unless decoupled):

        m, v, m^ as in `Adam`;  rho_inf = 2 / (1 - beta2) - 1;  rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
        rho <= 5:   u = lr m^
        otherwise:  u = lr r m^ sqrt(1 - beta2^t) / (sqrt(v) + eps),
                    r^2 = (rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)
        p = (1 - lr weight_decay) p - u   if decoupled, else  p - u

    Differs from torch: 16-bit weights and moments are rounded stochastically.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; a float or a 1-element tensor.
        betas: decays of m and v, each in [0, 1).
        eps: added to the root of v, >= 0; in gradient units.
        weight_decay: L2 coefficient, or the rate of decoupled decay in units of lr, >= 0.
        decoupled_weight_decay: decay the weights instead of adding to the gradient.
        foreach: a hint of torch's that changes nothing.
        maximize: ascend.
        capturable: keep the step on the device, for CUDA graphs; see `adamas.capturing`.
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
        ``step``, ``exp_avg``, ``exp_avg_sq``.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Liu et al. 2020, arXiv 1908.03265, algorithm 2.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.RAdam([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.8
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
        """Return RAdam."""
        return rules.RAdam
