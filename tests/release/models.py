"""A small model with what models have, and two copies of it trained with and without release."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import nn

import adamas

from ..contract.measure import assert_same_bits, copies

Make = Callable[[nn.Module], adamas.Optimizer]


class Tiny(nn.Module):
    """Embedding, a weight used twice, a norm, a 0-dim scale, one frozen parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 12)
        self.body = nn.Sequential(nn.Linear(12, 12), nn.Tanh(), nn.LayerNorm(12), nn.Linear(12, 12))
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.frozen = nn.Parameter(torch.ones(12), requires_grad=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        x = self.body(self.body(x)) * self.scale * self.frozen
        return x @ self.embed.weight.t()  # tied: its gradient has two sources


def twins(dtype: torch.dtype = torch.float32) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    model = Tiny().to(dtype)
    return model, deepcopy(model)


def batch(step: int, rows: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    tokens = torch.randint(0, 11, (rows, 4), generator=generator)
    return tokens, tokens.roll(1, dims=1)


def backward(model: nn.Module, data: tuple[torch.Tensor, torch.Tensor], share: float = 1.0) -> None:
    tokens, targets = data
    loss = nn.functional.cross_entropy(model(tokens).float().flatten(0, 1), targets.flatten())
    (share * loss).backward()


def groups(model: nn.Module) -> list[dict[str, Any]]:
    """Two groups with names, the frozen parameter among them."""
    named = list(model.named_parameters())
    return [
        {"params": [(n, p) for n, p in named if p.dim() > 1]},
        {"params": [(n, p) for n, p in named if p.dim() <= 1], "lr": 0.02},
    ]


def assert_same_training(
    released: tuple[nn.Module, adamas.Optimizer], plain: tuple[nn.Module, adamas.Optimizer]
) -> None:
    """Weights and every tensor of state are the same to the bit."""
    (model, optimizer), (other, expected) = released, plain
    assert_same_bits(copies(model.parameters()), copies(other.parameters()))
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert_same_bits(dict(optimizer.state.get(p, {})), dict(expected.state.get(q, {})))
