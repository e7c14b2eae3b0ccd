"""How far apart two writings of one formula may end that compute in the same precision.

They round in different places, so they drift apart. Distances are measured in ulps of the largest magnitude that an
element had on its way: a weight that crosses zero keeps the absolute error that it made while it was large,
and its own ulp is by then much smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .measure import distance, real, ulp
from .training import step

# The writes of a weight: both round to the nearest number, and differ where their updates fall on the two sides of a
# tie, as often up as down.
WEIGHT_ULPS = 2.0
# The updates: each is the result of at most 8 roundings of half an ulp in either writing, so the two differ by
# at most 8 ulps of the update. These add up along the path; with a small learning rate they are nothing.
UPDATE_ULPS = 8.0
# A moment: two products and a sum at each step, half an ulp each in either writing; it decays, so old errors fade.
STATE_ULPS = 4.0
# With an L2 penalty the difference of the weights enters the gradient, and a square doubles it.
SQUARE = 2.0


@dataclass
class Run:
    """Where a training ended: per parameter the weights, their largest magnitude and the length of their path."""

    params: list[Tensor]
    largest: list[Tensor]
    path: list[Tensor]
    state: list[dict[str, Tensor]]
    largest_state: list[dict[str, Tensor]]
    l2: bool


def tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    return {slot: value for slot, value in state.items() if isinstance(value, Tensor)}


def watched(optimizer: Optimizer, params: Sequence[Tensor], grads: Sequence[Sequence[Tensor]]) -> Run:
    """Trains, and keeps a record of the way."""
    largest = [real(p).abs() for p in params]
    path = [torch.zeros_like(real(p)) for p in params]
    largest_state: list[dict[str, Tensor]] = [{} for _ in params]
    for gs in grads:
        before = [real(p).clone() for p in params]
        step(optimizer, params, gs)
        for i, p in enumerate(params):
            now = real(p)
            path[i] += (now - before[i]).abs()
            largest[i] = torch.maximum(largest[i], now.abs())
            for slot, value in tensors(optimizer.state[p]).items():
                magnitude = real(value).abs()
                largest_state[i][slot] = torch.maximum(largest_state[i].get(slot, magnitude), magnitude)
    l2 = any(g["weight_decay"] and not g.get("decoupled_weight_decay") for g in optimizer.param_groups)
    return Run(list(params), largest, path, [tensors(optimizer.state[p]) for p in params], largest_state, l2)


def assert_follows(optimizer: Optimizer, params: Sequence[Tensor], run: Run) -> None:
    """The optimizer and its parameters, trained on the same gradients, ended where the run did."""
    for i, p in enumerate(params):
        tolerance = weight_tolerance(run.largest[i], run.path[i])
        _assert_near(p, run.params[i], run.largest[i], tolerance, f"weight {i}")
        mine, other = tensors(optimizer.state[p]), run.state[i]
        assert mine.keys() == other.keys()
        for slot, value in other.items():
            fed_back = SQUARE * tolerance if run.l2 and value.shape == p.shape else 0.0
            _assert_near(mine[slot], value, run.largest_state[i][slot], STATE_ULPS + fed_back, f"{slot} of weight {i}")


def weight_tolerance(largest: Tensor, path: Tensor) -> Tensor:
    """In ulps of `largest`, elementwise."""
    eps = torch.finfo(largest.dtype).eps
    return WEIGHT_ULPS + UPDATE_ULPS * eps * path.double() / ulp(largest)


def _assert_near(mine: Tensor, other: Tensor, largest: Tensor, tolerance: Tensor | float, what: str) -> None:
    ulps = distance(mine, other) / ulp(largest)
    assert (ulps <= tolerance).all(), f"{what} is {ulps.max():.3g} ulps off, of {torch.as_tensor(tolerance).max():.3g}"
