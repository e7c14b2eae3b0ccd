"""Adam for sparse gradients, as torch has it."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class SparseAdam(Optimizer):
    """Adam for the rows that a sparse gradient touches; all others stay as they are.

    Update, of touched rows only:

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        p = p - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)

    `Adam` with ``sparse="lazy"`` does the same, but adds eps after the bias correction; with ``sparse="exact"`` it
    moves rows as if their gradients were zero.

    Differs from torch: dense gradients are accepted, and step all rows.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; a float or a 1-element tensor.
        betas: decays of m and v, each in [0, 1).
        eps: added to the root of v as it is, >= 0; in gradient units.
        maximize: ascend.
        decay_mode: see `Optimizer`; there is no decay.
        engine: see `Optimizer`.
        state_format: see `Optimizer`.
        rounding: see `Optimizer`.
        seed: see `Optimizer`.
        nonfinite: see `Optimizer`.
        max_skips: see `Optimizer`.
        clip_norm: see `Optimizer`.
        clip_update: see `Optimizer`; not with sparse gradients.

    State:
        ``step``, ``exp_avg``, ``exp_avg_sq``.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        ``torch.optim.SparseAdam``.

    Example:
        >>> import torch, adamas
        >>> words = torch.nn.Embedding(10, 1, sparse=True)
        >>> optimizer = adamas.SparseAdam(words.parameters(), lr=0.5)
        >>> before = words.weight[7].item()
        >>> words(torch.tensor([7])).sum().backward(); optimizer.step()
        >>> round(before - words.weight[7].item(), 6)
        0.5
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
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
        """Return Adam with SparseAdam's place for eps."""
        return rules.SparseAdam
