"""A training loop of Hugging Face Accelerate with an optimizer of adamas: accumulation, clipping, state on disk.

pip install accelerate
python examples/accelerate_loop.py
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

import adamas

EPOCHS = 4


def prepared(optimizer_class: Any) -> tuple[Any, ...]:
    """Return an accelerator and what it wraps: model, optimizer, data, scheduler."""
    torch.manual_seed(0)
    x = torch.linspace(-3, 3, 128)[:, None]
    loader = DataLoader(TensorDataset(x, x.sin()), batch_size=8)
    model = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    optimizer = optimizer_class(adamas.param_groups(model, weight_decay=0.01), lr=0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * len(loader) // 2)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    return (accelerator, *accelerator.prepare(model, optimizer, loader, scheduler))


def run(parts: tuple[Any, ...], epochs: int) -> list[float]:
    """Train for some epochs; return the losses."""
    accelerator, model, optimizer, loader, scheduler = parts
    losses = []
    for _ in range(epochs):
        for x, y in loader:
            with accelerator.accumulate(model):
                loss = (model(x) - y).square().mean()
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            losses.append(loss.item())
    return losses


def main(optimizer_class: Any = adamas.AdamW) -> dict[str, Any]:
    """Train without a break, and again from the state that Accelerate saved half-way."""
    half = EPOCHS // 2
    with tempfile.TemporaryDirectory() as folder:
        parts = prepared(optimizer_class)
        losses = run(parts, half)
        parts[0].save_state(folder)
        losses += run(parts, EPOCHS - half)
        again = prepared(optimizer_class)
        again[0].load_state(folder)
        resumed = run(again, EPOCHS - half)
    return {"losses": losses, "resumed": resumed}


if __name__ == "__main__":
    found = main()
    print(f"loss {found['losses'][0]:.3f} -> {found['losses'][-1]:.3f}, resumed {found['resumed'][-1]:.3f}")
