"""What the state machine chooses from, and how it compares."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

SHAPES = ((), (5,), (4, 6), (3, 4, 5), (0, 3), (6, 70), (130,))
MOST_CELLS = 8
# Every operation of a step is rounded by 1e-16 of the largest number that met in it; a few hundred of them add up.
TOLERANCE = 1e-11

HYPER: dict[str, dict[str, tuple[Any, ...]]] = {
    "SGD": {"momentum": (0.0, 0.9), "dampening": (0.0, 0.25)},
    "RMSprop": {"momentum": (0.0, 0.9), "alpha": (0.9, 0.5), "centered": (False, True), "eps": (1e-8, 1e-2)},
    "Adam": {"betas": ((0.9, 0.999), (0.0, 0.5), (0.5, 0.9)), "eps": (1e-8, 1e-2), "amsgrad": (False, True)},
}
HYPER["AdamW"] = {**HYPER["Adam"], "sparse": ("lazy", "exact")}
COMMON = {"lr": (0.1, 0.01, 0.0), "weight_decay": (0.0, 0.1), "maximize": (False, True), "sparse": ("lazy",)}


def numbers(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def carried(value: Any, shape: tuple[int, ...], rows: torch.Tensor | None) -> Any:
    """Return a state as it is after rows were replaced: kept ones as they were, new ones zero."""
    if not isinstance(value, np.ndarray) or rows is None:
        return value
    new = np.zeros(shape)
    for to, at in enumerate(rows.tolist()):
        if at >= 0:
            new[to] = value[at]
    return new


def near(mine: Any, other: Any, largest: float, what: str) -> None:
    gap = np.abs(np.asarray(mine.detach(), dtype=np.float64) - other)
    assert gap.max(initial=0.0) <= TOLERANCE * largest, f"{what} is {gap.max():.3g} off, of {largest:.3g}"
