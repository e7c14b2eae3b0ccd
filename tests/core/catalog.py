"""The table that engine tests are a product over: every compiled rule, every dtype, every layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

import adamas
from adamas.engines.triton import interpreted


@dataclass(frozen=True)
class Case:
    """One rule with hyper-parameters that use all of it."""

    rule: str
    optimizer: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    def make(self, params: list[torch.Tensor], **more: Any) -> adamas.Optimizer:
        return getattr(adamas, self.optimizer)(params, **{**self.kwargs, **more})


CASES = (
    Case("SGD", "SGD", {"lr": 0.1, "weight_decay": 0.01}),
    Case("Momentum", "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.25}),
    Case("Nesterov", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    Case("Adagrad", "Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    Case("RMSprop", "RMSprop", {"weight_decay": 0.01}),
    Case("RMSpropMomentum", "RMSprop", {"momentum": 0.9}),
    Case("RMSpropCentered", "RMSprop", {"centered": True}),
    Case("RMSpropCenteredMomentum", "RMSprop", {"centered": True, "momentum": 0.9, "maximize": True}),
    Case("Adam", "Adam", {"weight_decay": 0.01}),
    Case("Adam", "AdamW", {"betas": (0.3, 0.95)}),
    Case("AMSGrad", "AdamW", {"amsgrad": True, "maximize": True}),
    Case("NAdam", "NAdam", {"weight_decay": 0.01, "decoupled_weight_decay": True}),
    Case("RAdam", "RAdam", {"betas": (0.9, 0.9)}),
    Case("Adamax", "Adamax", {"weight_decay": 0.01}),
    Case("Lion", "Lion", {"weight_decay": 0.1}),
    Case("InsideAdam", "Adam", {"eps_mode": "inside", "eps": 1e-3, "weight_decay": 0.01}),
    Case("Atan2Adam", "AdamW", {"eps_mode": "atan2"}),
    Case("NesterovAdam", "AdamW", {"nesterov": True}),
    Case("CautiousAdam", "AdamW", {"cautious": True, "weight_decay": 0.0}),
    Case("SparseAdam", "SparseAdam", {"betas": (0.8, 0.95), "eps": 1e-3}),
)

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def _gappy(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros(*shape, 2, dtype=dtype)[..., 0]


# Layouts of a weight of 4 dimensions, and of its gradient.
LAYOUTS: dict[str, Callable[[tuple[int, ...], torch.dtype], torch.Tensor]] = {
    "row-major": lambda shape, dtype: torch.zeros(shape, dtype=dtype),
    "channels_last": lambda shape, dtype: torch.zeros(shape, dtype=dtype).to(memory_format=torch.channels_last),
    "transposed": lambda shape, dtype: torch.zeros(shape[::-1], dtype=dtype).permute(3, 2, 1, 0),
    "gappy": _gappy,
    "slice": lambda shape, dtype: torch.zeros(*shape[:-1], shape[-1] + 3, dtype=dtype)[..., 1 : shape[-1] + 1],
}


def device_of(engine: str | None) -> str:
    """Return where an engine is tested: Triton on a GPU, unless it interprets."""
    return "cuda" if engine == "triton" and not interpreted() else "cpu"


def placed(x: torch.Tensor, engine: str | None) -> torch.Tensor:
    """Return a copy where the engine is tested, with the same strides."""
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device_of(engine)).copy_(x)


def at(grad: torch.Tensor, engine: str | None) -> torch.Tensor:
    """Return a gradient where the engine is tested; itself if it is there."""
    if device_of(engine) == grad.device.type:
        return grad
    lazy = grad.is_sparse or grad.is_conj() or grad.is_neg()
    return grad.to(device_of(engine)) if lazy else placed(grad, engine)


def run(
    case: Case, weight: torch.Tensor, grads: list[torch.Tensor], **more: Any
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Step a copy of the weight (same strides) through the gradients; return it and its state."""
    engine = more.get("engine")
    p = placed(weight, engine).requires_grad_()
    optimizer = case.make([p], **more)
    for grad in grads:
        p.grad = at(grad, engine)
        optimizer.step()
    return p.detach(), dict(optimizer.state[p])


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Say whether two tensors are equal, NaN included."""
    a, b = a.cpu(), b.cpu()
    return torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())
