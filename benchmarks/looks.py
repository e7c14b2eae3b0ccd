"""Times what the doctor costs: steps with a look beside steps without, as a share of 16 steps (one look in 16).

    python benchmarks/looks.py [--weights 33554432] [--threads 1] [--rounds 9]

AdamW, one tensor. An optimizer takes both kinds of steps in turns, three of a kind, of which the first is not counted;
the share is that of the medians.
"""

import argparse
import time
from statistics import median

import torch

import adamas

EVERY = 16
CASES = {
    "float32": (torch.float32, {}),
    "bfloat16, stochastic": (torch.bfloat16, {"state_format": "float32"}),
    "bfloat16, nearest": (torch.bfloat16, {"state_format": "float32", "rounding": "nearest"}),
}


def seconds(optimizer: adamas.Optimizer, every: int | None) -> float:
    """Return the time of a step, with a look if every is 1."""
    optimizer.diagnose_every = every
    optimizer.step()
    start = time.perf_counter()
    optimizer.step()
    optimizer.step()
    return (time.perf_counter() - start) / 2


def main() -> None:
    """Time all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=int, default=1 << 25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for name, (dtype, options) in CASES.items():
        p = torch.nn.Parameter(torch.randn(given.weights).to(dtype))
        p.grad = torch.randn(given.weights).to(dtype)
        optimizer = adamas.AdamW([("weight", p)], **options)
        turns = [(seconds(optimizer, None), seconds(optimizer, 1)) for _ in range(given.rounds)]
        without, looked = (median(times) for times in zip(*turns, strict=True))
        share = (looked - without) / (EVERY * without)
        print(f"{name:22} step {without * 1e3:6.2f} ms, with a look {looked * 1e3:6.2f} ms: {100 * share:4.1f} %")


if __name__ == "__main__":
    main()
