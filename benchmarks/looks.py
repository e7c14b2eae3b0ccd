"""Times what the doctor costs: steps with a look beside steps without, as a share of 16 steps (one look in 16).

    python benchmarks/looks.py [--weights 33554432] [--threads 1] [--rounds 9]

AdamW, one tensor, in rows of 4096 or 4000 (whose last unit is short). An optimizer takes both kinds of steps in turns,
three of a kind, of which the first is not counted; the share is that of the medians.
"""

import argparse
import time
from itertools import product
from statistics import median

import torch

import adamas

EVERY = 16
NEAREST = {"rounding": "nearest"}
CASES = {
    "float32": (torch.float32, {}),
    "float64": (torch.float64, {}),
    "bfloat16, stochastic": (torch.bfloat16, {}),
    "bfloat16, nearest": (torch.bfloat16, NEAREST),
    "bfloat16, float32 moments, stochastic": (torch.bfloat16, {"state_format": "float32"}),
    "bfloat16, float32 moments, nearest": (torch.bfloat16, {"state_format": "float32", **NEAREST}),
    "split24": (torch.bfloat16, {"rounding": "split24"}),
    "split24, float32 moments": (torch.bfloat16, {"rounding": "split24", "state_format": "float32"}),
}
for form in ("int8", "int4"):
    CASES[f"float32, {form} moments"] = (torch.float32, {"state_format": form})
    CASES[f"bfloat16, {form} moments"] = (torch.bfloat16, {"state_format": form})
    CASES[f"split24, {form} moments"] = (torch.bfloat16, {"rounding": "split24", "state_format": form})


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
    for (name, (dtype, options)), length in product(CASES.items(), (4096, 4000)):
        if length != 4096 and "int" not in name:
            continue
        shape = (given.weights // length, length)
        p = torch.nn.Parameter(torch.randn(shape).to(dtype))
        p.grad = torch.randn(shape).to(dtype)
        optimizer = adamas.AdamW([("weight", p)], **options)
        turns = [(seconds(optimizer, None), seconds(optimizer, 1)) for _ in range(given.rounds)]
        without, looked = (median(times) for times in zip(*turns, strict=True))
        share = (looked - without) / (EVERY * without)
        times = f"step {without * 1e3:6.2f} ms, with a look {looked * 1e3:6.2f} ms"
        print(f"{name:38} rows of {length}: {times}: {100 * share:4.1f} %", flush=True)


if __name__ == "__main__":
    main()
