"""Prints how far sparse steps are from dense AdamW in float64: dense float32, exact and lazy, after 5000 steps.

    python benchmarks/sparse_errors.py [--steps 5000]

A table of 200 x 16 gets gradients in rows that are drawn by Zipf's law. The error is the mean distance of weights to those
of torch.optim.AdamW in float64 with dense gradients, relative to the mean distance that those moved.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from itertools import product

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


def train(make: Callable[..., torch.optim.Optimizer], dtype: torch.dtype, dense: bool, steps: int, schedule: str) -> torch.Tensor:
    """Return the weights after all steps, all rows caught up."""
    p = torch.nn.Parameter(torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)).to(dtype))
    optimizer = make([p])
    lr = optimizer.param_groups[0]["lr"]
    for step, grad in enumerate(gradients(steps)):
        optimizer.param_groups[0]["lr"] = lr * SCHEDULES[schedule]((step + 1) / steps)
        p.grad = (grad.to_dense() if dense else grad).to(dtype)
        optimizer.step()
    optimizer.state_dict()  # flushes
    return p.detach().double()


def main() -> None:
    """Print a row for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000)
    steps = parser.parse_args().steps
    print(f"{'schedule':18} {'decay':>5} {'betas':>14} {'eps':>6}  dense float32     exact      lazy")
    for schedule, decay, betas, eps in product(SCHEDULES, (0.0, 0.1), ((0.9, 0.999), (0.9, 0.95)), (1e-8, 1e-3)):
        options = {"lr": 1e-3, "betas": betas, "eps": eps, "weight_decay": decay}

        def run(dtype: torch.dtype, dense: bool, **more: str) -> torch.Tensor:
            if dtype == torch.float64:
                return train(lambda p: torch.optim.AdamW(p, **options), dtype, dense, steps, schedule)
            return train(lambda p: adamas.AdamW(p, **options, **more), dtype, dense, steps, schedule)

        truth = run(torch.float64, True)
        moved = (truth - torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)).double()).abs().mean()
        found = [run(torch.float32, True), run(torch.float32, False, sparse="exact"), run(torch.float32, False, sparse="lazy")]
        errors = [((weights - truth).abs().mean() / moved).item() for weights in found]
        print(f"{schedule:18} {decay:5} {betas!s:>14} {eps:6}  {errors[0]:13.1e} {errors[1]:9.1e} {errors[2]:9.1e}")


if __name__ == "__main__":
    main()
