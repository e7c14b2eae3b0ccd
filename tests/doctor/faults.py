"""Ten training scripts, each with one fault that people make; and the same script without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import adamas

EVERY, STEPS = 4, 60
Batches = Callable[[int], tuple[torch.Tensor, torch.Tensor]]


def data(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the batch of a step: a noisy function of 16 numbers."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(32, 16, generator=generator)
    return x, torch.sin(x[:, :4]) + 0.5 * torch.randn(32, 4, generator=generator)


class Net(nn.Module):
    """Two layers, a norm and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.second, self.head = (
            nn.Linear(16, 64),
            nn.LayerNorm(64),
            nn.Linear(64, 64),
            nn.Linear(64, 4),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.norm(self.first(x))))))


def train(
    model: nn.Module, optimizer: adamas.Optimizer, batches: Batches = data, steps: int = STEPS
) -> adamas.Optimizer:
    """Train with a doctor."""
    optimizer.diagnose_every = EVERY
    for step in range(steps):
        x, y = batches(step)
        dtype = next(model.parameters()).dtype
        optimizer.zero_grad()
        ((model(x.to(dtype)) - y.to(dtype)) ** 2).mean().backward()
        optimizer.step()
    return optimizer


def adamw(model: nn.Module, **hyper: Any) -> adamas.Optimizer:
    return adamas.AdamW(model.named_parameters(), **{"lr": 1e-3, "weight_decay": 0.0, **hyper})


def healthy() -> adamas.Optimizer:
    model = Net()
    return train(model, adamw(model))


def bfloat16_with_a_tiny_lr() -> adamas.Optimizer:
    model = Net().bfloat16()
    return train(model, adamw(model, lr=1e-5, rounding="nearest", weight_decay=0.01))


def a_large_eps() -> adamas.Optimizer:
    model = Net()
    return train(model, adamw(model, eps=1e-3))


def decay_on_everything() -> adamas.Optimizer:
    model = Net()
    return train(model, adamw(model, weight_decay=0.1))


def an_exploding_batch() -> adamas.Optimizer:
    def batches(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = data(step)
        return (x, 1000 * y) if step == 41 else (x, y)  # between two looks

    model = Net()
    return train(model, adamw(model), batches)


def thirty_times_the_lr() -> adamas.Optimizer:
    model = Net()
    return train(model, adamw(model, lr=3e-2))


def a_dead_relu_layer() -> adamas.Optimizer:
    model = Net()
    with torch.no_grad():
        model.second.bias.fill_(-100.0)
    return train(model, adamw(model))


def a_frozen_head() -> adamas.Optimizer:
    model = Net()
    model.head.requires_grad_(False)
    return train(model, adamw(model))


def a_nan_batch() -> adamas.Optimizer:
    def batches(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = data(step)
        return (x / 0 * 0, y) if step == 30 else (x, y)

    model = Net()
    return train(model, adamw(model), batches)


def a_small_beta2() -> adamas.Optimizer:
    model = Net()
    return train(model, adamw(model, betas=(0.9, 0.5)))


def tied_twice() -> adamas.Optimizer:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.encoder, self.decoder = nn.Linear(16, 4, bias=False), nn.Linear(16, 4, bias=False)
            self.decoder.weight.data = self.encoder.weight.data  # two Parameters, one memory

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.decoder(torch.tanh(self.encoder(x) @ self.encoder.weight))

    model = Tied()
    return train(model, adamw(model))


FAULTS: dict[Callable[[], adamas.Optimizer], str] = {
    bfloat16_with_a_tiny_lr: "updates are lost to rounding",
    a_large_eps: "eps dominates",
    decay_on_everything: "weight decay acts on biases and norms",
    an_exploding_batch: "the second moment is out of date",
    thirty_times_the_lr: "updates are too hot",
    a_dead_relu_layer: "a layer is dead",
    a_frozen_head: "a parameter never got a gradient",
    a_nan_batch: "a gradient is not finite",
    a_small_beta2: "beta1^2 >= beta2",
    tied_twice: "a weight is stepped twice",
}
