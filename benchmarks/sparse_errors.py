"""Prints how far sparse steps are from dense AdamW in float64: dense float32, exact and lazy, after 5000 steps.

    python benchmarks/sparse_errors.py [--steps 5000]

A table of 200 x 16 gets gradients in rows that are drawn by Zipf's law. The error is the mean distance of weights to
those of torch.optim.AdamW in float64 with dense gradients, relative to the mean distance that those moved.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch

import adamas

SHAPE, TOUCHED = (200, 16), 8
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "warm-up + cosine": lambda done: min(1.0, done / 0.05) * 0.5 * (1 + math.cos(math.pi * done)),
}


def gradients(steps: int) -> Iterator[torch.Tensor]:
    """Yield the same sparse gradients in every call."""
    generator = torch.Generator().manual_seed(5)
    odds = 1.0 / torch.arange(1, SHAPE[0] + 1)
    for _ in range(steps):
        rows = torch.multinomial(odds, TOUCHED, generator=generator)
        values = torch.randn(TOUCHED, SHAPE[1], generator=generator) + 0.3
        yield torch.sparse_coo_tensor(rows[None], values, SHAPE, check_invariants=False)


def start() -> torch.Tensor:
    """Return the weights that all begin with."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))


def train(optimizer: torch.optim.Optimizer, dense: bool, steps: int, schedule: str) -> torch.Tensor:
    """Return the weights after all steps, all rows caught up."""
    [group] = optimizer.param_groups
    [p] = group["params"]
    lr = group["lr"]
    for step, grad in enumerate(gradients(steps)):
        group["lr"] = lr * SCHEDULES[schedule]((step + 1) / steps)
        p.grad = (grad.to_dense() if dense else grad).to(p.dtype)
        optimizer.step()
    optimizer.state_dict()  # flushes
    return p.detach().double()


def errors(options: dict[str, Any], steps: int, schedule: str) -> Iterator[float]:
    """Yield the errors of dense float32, exact and lazy."""
    truth = train(torch.optim.AdamW([torch.nn.Parameter(start().double())], **options), True, steps, schedule)
    moved = (truth - start().double()).abs().mean()
    for dense, sparse in ((True, "exact"), (False, "exact"), (False, "lazy")):
        optimizer = adamas.AdamW([torch.nn.Parameter(start())], **options, sparse=sparse)
        weights = train(optimizer, dense, steps, schedule)
        yield ((weights - truth).abs().mean() / moved).item()


def main() -> None:
    """Print a row for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000)
    steps = parser.parse_args().steps
    print(f"{'schedule':18} {'decay':>5} {'betas':>14} {'eps':>6}  dense float32     exact      lazy")
    for schedule, decay, betas, eps in product(SCHEDULES, (0.0, 0.1), ((0.9, 0.999), (0.9, 0.95)), (1e-8, 1e-3)):
        options = {"lr": 1e-3, "betas": betas, "eps": eps, "weight_decay": decay}
        dense, exact, lazy = errors(options, steps, schedule)
        print(f"{schedule:18} {decay:5} {betas!s:>14} {eps:6}  {dense:13.1e} {exact:9.1e} {lazy:9.1e}")


if __name__ == "__main__":
    main()
