"""The public optimizers: torch.optim's signatures and state, any engine, any format.

Arguments after the star that torch does not have (``decay_mode``, ``engine``, ``state_format``, ``rounding``,
``seed``, ``nonfinite``, ``max_skips``, ``clip_norm`` and ``clip_update``) are described in `adamas.Optimizer`.
``foreach`` and ``fused`` are accepted and change nothing: there is one set of numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.planning import parameter_key, parameter_name
from adamas.rules import Rule
from adamas.shards import piece_of
from adamas.slots import make_state

_Number = float | torch.Tensor


def _collect(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a constructor's arguments as torch's ``defaults``."""
    return {key: value for key, value in arguments.items() if key not in ("self", "params", "__class__")}


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
        lr: _Number = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: _Number = 0,
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
        defaults = _collect(locals())
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


class Adagrad(Optimizer):
    """AdaGrad: steps shrink with the sum of squared gradients of each coordinate.

    Update, with g the gradient (plus weight_decay p):

        s = s + g^2
        p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Differs from torch: 16-bit sums are rounded stochastically (a 16-bit sum rounded to nearest stops growing); with
    a sparse gradient, decay acts on the rows that it touches (torch refuses).

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units, >= 0; a float or a 1-element tensor.
        lr_decay: >= 0; the step size falls as 1 / (1 + (t - 1) lr_decay).
        weight_decay: L2 coefficient, >= 0.
        initial_accumulator_value: first value of s, >= 0, in squared gradient units.
        eps: added to the root of s, >= 0; in gradient units.
        foreach: a hint of torch's that changes nothing.
        maximize: ascend.
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
        ``step``, ``sum``; made at construction, as in torch.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Duchi, Hazan & Singer 2011, JMLR 12, section 1.1.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.Adagrad([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.9
    """

    def __init__(
        self,
        params: ParamsT,
        lr: _Number = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
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
        self._start(params, _collect(locals()))
        for number, group in enumerate(self.param_groups):
            for place, p in enumerate(group["params"]):
                name = parameter_name(self.param_groups, number, place)
                cut = self._how(p)
                piece, rule = piece_of(p, cut), self.rule(group)
                make_state(piece, name, parameter_key(group, place), group, rule, self.state[p], cut)

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return AdaGrad."""
        return rules.Adagrad

    def share_memory(self) -> None:
        """Move the sums into shared memory, for training in several processes (Hogwild)."""
        for state in self.state.values():
            state["sum"].share_memory_()


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
        lr: _Number = 1e-2,
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
        self._start(params, _collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return one of the four forms of RMSProp."""
        if group["centered"]:
            return rules.RMSpropCenteredMomentum if group["momentum"] > 0 else rules.RMSpropCentered
        return rules.RMSpropMomentum if group["momentum"] > 0 else rules.RMSprop


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
        lr: _Number = 1e-3,
        betas: tuple[_Number, _Number] = (0.9, 0.999),
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
        self._start(params, _adam_defaults(_collect(locals())))

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
        lr: _Number = 1e-3,
        betas: tuple[_Number, _Number] = (0.9, 0.999),
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
        self._start(params, _adam_defaults({**_collect(locals()), "decoupled_weight_decay": True}))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore; a checkpoint from before torch had the key decays decoupled all the same."""
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


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
        lr: _Number = 1e-3,
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
        self._start(params, _collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return Adam with SparseAdam's place for eps."""
        return rules.SparseAdam


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's look-ahead and a momentum schedule.

    Update, with g the gradient (plus weight_decay p unless decoupled):

        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)         P_t = mu_1 ... mu_t
        m, v as in `Adam`, v^ = v / (1 - beta2^t)
        p = (1 - lr weight_decay) p                            if decoupled
        p = p - lr (mu_{t+1} m / (1 - P_{t+1}) + (1 - mu_t) g / (1 - P_t)) / (sqrt(v^) + eps)

    Differs from torch: 16-bit weights and moments are rounded stochastically.

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units per step, >= 0; a float or a 1-element tensor.
        betas: decays of m and v, each in [0, 1).
        eps: added to the root of v^, >= 0; in gradient units.
        weight_decay: L2 coefficient, or the rate of decoupled decay in units of lr, >= 0.
        momentum_decay: speed of the momentum schedule, >= 0.
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
        ``step``, ``mu_product`` (P_t), ``exp_avg``, ``exp_avg_sq``.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Dozat 2016, "Incorporating Nesterov momentum into Adam", algorithm 2.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.NAdam([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.894355
    """

    def __init__(
        self,
        params: ParamsT,
        lr: _Number = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        self._start(params, _collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return NAdam."""
        return rules.NAdam


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
        lr: _Number = 1e-3,
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
        self._start(params, _collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return RAdam."""
        return rules.RAdam


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
        lr: _Number = 2e-3,
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
        self._start(params, _collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return Adamax."""
        return rules.Adamax


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
        lr: _Number = 1e-4,
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
        self._start(params, _collect(locals()))

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return Lion."""
        return rules.Lion
