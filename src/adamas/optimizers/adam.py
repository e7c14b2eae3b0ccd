"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.rules import Rule


class Adam(Optimizer):
    """Adam: steps by the ratio of the gradients' running mean and root mean square.

    Update, with g the gradient (plus weight_decay p unless decoupled):

        m = beta1 m + (1 - beta1) g                m^ = m / (1 - beta1^t)
        v = beta2 v + (1 - beta2) g^2              v^ = v / (1 - beta2^t)
        p = (1 - lr weight_decay) p                if decoupled
        p = p - lr m^ / (sqrt(v^) + eps)           (amsgrad: the largest v so far instead of v)

    Differs from torch: 16-bit weights and moments are rounded stochastically (``rounding="nearest"`` for torch's way);
    sparse gradients are accepted.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; a float or a 1-element tensor.
        betas: decays of m and v, each in [0, 1); their memory is about 1 / (1 - beta) steps.
        eps: added to the root of v^, >= 0; in gradient units.
        weight_decay: L2 coefficient, or the rate of decoupled decay in units of lr, >= 0.
        amsgrad: divide by the largest v so far.
        foreach: a hint of torch's that changes nothing.
        maximize: ascend.
        capturable: keep the step on the device, for CUDA graphs; see `adamas.capturing`.
        differentiable: let autograd record the step (reference engine).
        fused: a hint of torch's that changes nothing.
        decoupled_weight_decay: decay the weights instead of adding to the gradient, as AdamW.
        decay_mode: see `Optimizer`.
        engine: see `Optimizer`.
        state_format: see `Optimizer`.
        rounding: see `Optimizer`.
        seed: see `Optimizer`.
        nonfinite: see `Optimizer`.
        max_skips: see `Optimizer`.
        clip_norm: see `Optimizer`.
        clip_update: see `Optimizer`.
        eps_mode: how the division is kept from nothing: ``add``, ``inside`` for top / sqrt(v^ + eps^2), or ``atan2``
            for 4/pi atan2(top, sqrt(v^)), which needs no eps; top is m^.
        cautious: leave out what points against the gradient, and move the rest of the tensor by as much more (arXiv
            2411.16085). The step is then computed twice.
        nesterov: look ahead: top is beta1 m / (1 - beta1^(t+1)) + (1 - beta1) g / (1 - beta1^t).
            Each of these three alone is compiled (`rules.COMPILED`); two of them together, or with amsgrad, run on the
            reference engine.
        sparse: see `Optimizer`; sparse gradients with coupled decay need ``lazy``.
        row_steps: see `Optimizer`.

    State:
        ``step``, ``exp_avg``, ``exp_avg_sq``; ``max_exp_avg_sq`` with amsgrad.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Kingma & Ba 2015, arXiv 1412.6980, algorithm 1; Reddi, Kale & Kumar 2018, algorithm 2 (AMSGrad); for the
        variants see `adamas.rules.adam_variants`.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.Adam([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.9
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-3,
        betas: tuple[Number, Number] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        decay_mode: str = "auto",
        engine: str = "auto",
        state_format: str = "auto",
        rounding: str = "auto",
        seed: int = 0,
        nonfinite: str = "propagate",
        max_skips: int | None = None,
        clip_norm: float | None = None,
        clip_update: float | None = None,
        eps_mode: str = "add",
        cautious: bool = False,
        nesterov: bool = False,
        sparse: str = "exact",
        row_steps: bool = False,
    ) -> None:
        self._start(params, _adam_defaults(collect(locals())))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return Adam, AMSGrad or one of their variants."""
        variant = (group["eps_mode"], group["nesterov"], group["cautious"], bool(group["amsgrad"]))
        if variant[:3] != ("add", False, False):
            return rules.adam_variant(*variant)
        return rules.AMSGrad if group["amsgrad"] else rules.Adam

    def _check_group(self, group: dict[str, Any]) -> None:
        if group["eps_mode"] not in rules.EPS_MODES:
            raise ValueError(f"unknown eps_mode {group['eps_mode']!r}: there are {', '.join(rules.EPS_MODES)}")
        for key in ("cautious", "nesterov"):
            if not isinstance(group[key], bool):
                raise ValueError(f"{key} must be True or False, got {group[key]!r}")


def _adam_defaults(defaults: dict[str, Any]) -> dict[str, Any]:
    """Check what torch checks of Adam alone, and turn tensor betas into numbers, as it does."""
    betas, eager = defaults["betas"], defaults["foreach"] and not defaults["capturable"]
    if isinstance(defaults["lr"], torch.Tensor) and eager:
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    if not (all(isinstance(x, float) for x in betas) or all(isinstance(x, torch.Tensor) for x in betas)):
        for index, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        raise ValueError("betas must be either both floats or both Tensors")
    for index, beta in enumerate(betas):
        if isinstance(beta, torch.Tensor):
            if eager:
                raise ValueError(f"betas[{index}] as a Tensor is not supported for capturable=False and foreach=True")
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{index}] must be 1-element")
    return {**defaults, "betas": tuple(float(x) for x in betas)}


class AdamW(Adam):
    """Adam with decoupled weight decay.

    Update:

        m, v, m^, v^ as in `Adam`, of the bare gradient
        p = (1 - lr weight_decay) p - lr m^ / (sqrt(v^) + eps)

    Differs from torch: as `Adam` does. In bfloat16, decay below lr weight_decay = 2^-9 is exactly nothing in torch;
    here it happens, on average to the bit.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; a float or a 1-element tensor.
        betas: decays of m and v, each in [0, 1).
        eps: added to the root of v^, >= 0; in gradient units.
        weight_decay: rate of decay in units of lr, >= 0.
        amsgrad: divide by the largest v so far.
        maximize: ascend.
        foreach: a hint of torch's that changes nothing.
        capturable: keep the step on the device, for CUDA graphs; see `adamas.capturing`.
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
        eps_mode: see `Adam`.
        cautious: see `Adam`.
        nesterov: see `Adam`; NAdamW with other libraries.
        sparse: see `Optimizer`.
        row_steps: see `Optimizer`.

    State:
        As `Adam`.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.AdamW([w], lr=0.1, weight_decay=0.5)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.85
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-3,
        betas: tuple[Number, Number] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
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
        eps_mode: str = "add",
        cautious: bool = False,
        nesterov: bool = False,
        sparse: str = "exact",
        row_steps: bool = False,
    ) -> None:
        self._start(params, _adam_defaults({**collect(locals()), "decoupled_weight_decay": True}))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore; a checkpoint from before torch had the key decays decoupled all the same."""
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
