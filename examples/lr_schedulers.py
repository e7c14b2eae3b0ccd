"""Any scheduler of torch drives any optimizer of adamas: warm-up and cosine, one cycle, and one that watches the loss.

python examples/lr_schedulers.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler

import adamas

STEPS = 60


def warmup_and_cosine(optimizer: torch.optim.Optimizer) -> Any:
    """Ten steps up, then down along a cosine."""
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=10)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS - 10)
    return lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[10])


def one_cycle(optimizer: torch.optim.Optimizer) -> Any:
    """Up and down once; beta1 goes down and up."""
    return lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=STEPS)


def on_plateau(optimizer: torch.optim.Optimizer) -> Any:
    """Down by half whenever the loss has not fallen for three steps."""
    return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "warmup_and_cosine": warmup_and_cosine,
    "one_cycle": one_cycle,
    "on_plateau": on_plateau,
}


def train(optimizer_class: Any, schedule: Callable[[torch.optim.Optimizer], Any]) -> tuple[list[float], list[float]]:
    """Fit a small network to a sine; return the losses and the learning rates."""
    torch.manual_seed(0)
    x = torch.linspace(-3, 3, 128)[:, None]
    model = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    optimizer = optimizer_class(adamas.param_groups(model, weight_decay=0.01), lr=0.02)
    scheduler = schedule(optimizer)
    losses, rates = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (model(x) - x.sin()).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(loss.item())
        else:
            scheduler.step()
    return losses, rates


def main(optimizer_class: Any = adamas.AdamW) -> dict[str, Any]:
    """Train with each schedule."""
    return {name: train(optimizer_class, schedule) for name, schedule in SCHEDULES.items()}


if __name__ == "__main__":
    for name, (losses, rates) in main().items():
        print(f"{name:18} loss {losses[0]:.3f} -> {losses[-1]:.3f}, lr {rates[0]:.4f} -> {rates[-1]:.4f}")
