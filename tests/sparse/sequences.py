"""Sequences of sparse gradients, and optimizers that are led through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from ..core.catalog import at, placed

Schedule = Callable[[int], float]


def coo(rows: Sequence[int] | torch.Tensor, values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a gradient that has these rows, in this order, whatever they are."""
    return torch.sparse_coo_tensor(torch.as_tensor(rows)[None], values, shape, check_invariants=False)


def gradients(
    shape: tuple[int, ...], steps: int, dtype: torch.dtype = torch.float32, most: int = 12, seed: int = 1
) -> Iterator[torch.Tensor]:
    """Gradients of up to ``most`` entries, none and the same row more than once included; rare rows stay rare."""
    generator = torch.Generator().manual_seed(seed)
    odds = 1.0 / torch.arange(1, shape[0] + 1)
    for _ in range(steps):
        count = int(torch.randint(0, most + 1, (1,), generator=generator))
        rows = torch.multinomial(odds, max(count, 1), replacement=True, generator=generator)[:count]
        values = torch.randn(count, *shape[1:], generator=generator, dtype=torch.float64)
        yield coo(rows, values.to(dtype), shape)


def weight(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(7)).to(dtype))


def lead(
    make: Callable[..., Any],
    shape: tuple[int, ...],
    steps: int,
    dtype: torch.dtype = torch.float32,
    dense: bool = False,
    schedule: Schedule | None = None,
    **options: Any,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Step a weight through the gradients; return it and its state, with nothing left to catch up."""
    engine = options.get("engine")
    p = placed(weight(shape, dtype).detach(), engine).requires_grad_()
    optimizer = make([p], **options)
    for step, grad in enumerate(gradients(shape, steps, dtype)):
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = schedule(step)
        p.grad = at(grad.to_dense() if dense else grad, engine)
        optimizer.step()
    optimizer.state_dict()
    return p.detach(), dict(optimizer.state[p])


def warm_cosine(steps: int, peak: float = 1e-2) -> Schedule:
    """Warm-up from 0 over a tenth of the steps, then a cosine to a tenth of the peak."""

    def lr(step: int) -> float:
        wave = 0.55 + 0.45 * torch.cos(torch.tensor(torch.pi * step / steps)).item()
        return peak * min(1.0, step / (steps / 10)) * wave

    return lr
