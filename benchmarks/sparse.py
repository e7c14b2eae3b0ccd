"""Times sparse steps of a table of 64 columns, 4096 rows of it in each: torch.optim.SparseAdam against lazy and exact.

    python benchmarks/sparse.py [--rows 1000000] [--rounds 9]

Contenders take turns in one process, a few steps each; the fastest and the median of all steps count, and the ratio of
medians. Gradients come as nn.Embedding makes them: not coalesced.
"""

import argparse
import time
from statistics import median

import torch

import adamas

WIDTH, TOUCHED, STEPS, KINDS = 64, 4096, 12, 8


def gradient(rows: torch.Tensor, values: torch.Tensor, height: int) -> torch.Tensor:
    """Return the gradient of a table, as nn.Embedding makes it."""
    return torch.sparse_coo_tensor(rows[None], values, (height, WIDTH), check_invariants=False)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="height of the table")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender")
    chosen = parser.parse_args()
    contenders = {
        "torch.optim.SparseAdam": lambda p: torch.optim.SparseAdam([p], lr=1e-3),
        "adamas.SparseAdam": lambda p: adamas.SparseAdam([p], lr=1e-3),
        "adamas.AdamW lazy": lambda p: adamas.AdamW([p], lr=1e-3, sparse="lazy"),
        "adamas.AdamW exact": lambda p: adamas.AdamW([p], lr=1e-3, sparse="exact"),
    }
    torch.manual_seed(0)
    index = [torch.randint(0, chosen.rows, (2 * TOUCHED,)).unique()[:TOUCHED] for _ in range(KINDS)]
    index = [rows[torch.randperm(len(rows))] for rows in index]
    values = torch.randn(TOUCHED, WIDTH)
    weights = {name: torch.nn.Parameter(torch.zeros(chosen.rows, WIDTH)) for name in contenders}
    optimizers = {name: make(weights[name]) for name, make in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(chosen.rounds + 1):
        for name, optimizer in optimizers.items():
            for step in range(STEPS):
                rows = index[step % KINDS]
                weights[name].grad = gradient(rows, values[: len(rows)], chosen.rows)
                start = time.perf_counter()
                optimizer.step()
                if turn and step >= STEPS - KINDS:
                    times[name].append(1e3 * (time.perf_counter() - start))
    base = median(times["torch.optim.SparseAdam"])
    threads = torch.get_num_threads()
    print(f"{chosen.rows} x {WIDTH}, {TOUCHED} rows a step, {threads} threads, torch {torch.__version__}")
    for name, each in times.items():
        ratio = base / median(each)
        print(f"{name:24} fastest {min(each):7.3f} ms  median {median(each):7.3f} ms  {ratio:5.1f} times torch's speed")


if __name__ == "__main__":
    main()
