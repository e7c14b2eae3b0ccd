"""differentiable=True: autograd differentiates through the steps, or the constructor or the step refuses it by name.

The reference is a difference quotient of plain trainings: torch's own differentiable steps cut the graph at the first
momentum buffer of SGD, and cannot go backward through a centered RMSprop.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from .pairs import STATEFUL, TORCH_NAMES, every_engine, ours

# A central difference with h errs by h^2 of the third derivative, and by 1e-16 / h from rounding: both about 1e-10.
H = 1e-5
RELATIVE = 1e-6


def loss(name: str, engine: str, scale: Tensor, differentiable: bool) -> Tensor:
    """The loss after three steps on gradients that are all multiplied by `scale`."""
    hyper: dict[str, Any] = {**STATEFUL[name], "lr": 0.1, "differentiable": differentiable}
    if name != "SGD":
        hyper["eps"] = 0.1  # without it the scale of the gradients would not matter
    p = torch.linspace(-1, 1, 7, dtype=torch.float64).requires_grad_()
    p = p.clone() if differentiable else p
    optimizer = ours(name, [p], engine, **hyper)
    for t in range(3):
        g = scale * (torch.arange(7, dtype=torch.float64) - 2.5 + t)
        p.grad = g if differentiable else g.detach()
        optimizer.step()
    return (p**2).sum()


@every_engine
@pytest.mark.parametrize("name", TORCH_NAMES)
def test_differentiates_or_refuses(name: str, engine: str):
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    try:
        end = loss(name, engine, scale, differentiable=True)
    except (NotImplementedError, RuntimeError, ValueError) as error:
        if "differentiable" not in str(error):
            raise
        return
    (gradient,) = torch.autograd.grad(end, scale)
    above, below = (loss(name, engine, scale.detach() + h, differentiable=False) for h in (H, -H))
    quotient = (above - below).detach() / (2 * H)
    torch.testing.assert_close(gradient, quotient, rtol=RELATIVE, atol=RELATIVE)


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_one_engine_does_it(name: str):
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert loss(name, "auto", scale, differentiable=True).requires_grad
