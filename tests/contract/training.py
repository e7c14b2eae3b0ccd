"""Training on given gradients, so that two optimizers can be compared step by step.

The gradients do not depend on the weights, so a difference between the two is a difference of the optimizers;
a loss would feed it back and amplify it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .measure import copies

SHAPES: tuple[tuple[int, ...], ...] = ((7, 5), (33,), ())
STEPS = 50


def weights(shapes: Sequence[tuple[int, ...]] = SHAPES, dtype: torch.dtype = torch.float32, seed: int = 0):
    """Parameters of size 1."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.complex128 if dtype.is_complex else torch.float64
    values = [torch.randn(shape, generator=generator, dtype=drawn) for shape in shapes]
    return [torch.nn.Parameter(value.to(dtype)) for value in values]


def gradients(params: Sequence[Tensor], steps: int = STEPS, seed: int = 1) -> list[list[Tensor]]:
    """Gradients of 1 to a thousandth, each weight with a scale of its own; the first weight has none."""
    generator = torch.Generator().manual_seed(seed)
    scales = [10.0 ** (-3 * torch.rand(p.shape, generator=generator, dtype=torch.float64)) for p in params]
    for scale in scales:
        if scale.numel() > 1:
            scale.view(-1)[0] = 0.0
    return [
        [
            (scale * torch.randn(p.shape, generator=generator, dtype=drawn)).to(p.dtype)
            for p, scale in zip(params, scales, strict=True)
            for drawn in [torch.complex128 if p.is_complex() else torch.float64]
        ]
        for _ in range(steps)
    ]


def snapshot(optimizer: Optimizer, params: Sequence[Tensor]) -> list[Any]:
    """Everything that a step may write, as it is now."""
    groups = [{key: value for key, value in g.items() if key != "params"} for g in optimizer.param_groups]
    return deepcopy([copies(params), [dict(optimizer.state.get(p, {})) for p in params], groups])


def step(optimizer: Optimizer, params: Sequence[Tensor], grads: Sequence[Tensor | None]) -> None:
    for p, g in zip(params, grads, strict=True):
        p.grad = None if g is None else g.clone()
    optimizer.step()


def train(optimizer: Optimizer, params: Sequence[Tensor], grads: Sequence[Sequence[Tensor | None]]) -> None:
    for gs in grads:
        step(optimizer, params, gs)
