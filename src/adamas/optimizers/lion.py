"""Lion."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class Lion(Optimizer):
    """Lion: steps of one size, by the sign of a mix of momentum and gradient.

    Update:

        u = lr sign(beta1 m + (1 - beta1) g)
        m = beta2 m + (1 - beta2) g
        p = (1 - lr weight_decay) p - u

    torch has no Lion; arguments and state are named as in its Adam.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; 3 to 10 times smaller than Adam's.
        betas: share of m in the direction, and decay of m, each in [0, 1).
        weight_decay: rate of decoupled decay in units of lr, >= 0; 3 to 10 times larger than AdamW's.
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
        ``step``, ``exp_avg``.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Chen et al. 2023, arXiv 2302.06675, algorithm 2.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.Lion([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.9
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
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
        """Return Lion."""
        return rules.Lion
