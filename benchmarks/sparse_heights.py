"""Times sparse steps of a short and a tall table of 64 columns, 4096 rows of it in each, and what memory alone takes.

    python benchmarks/sparse_heights.py [--heights 1000000 10000000] [--threads 2]

Each contender lives in a process of its own, one after the other: a tall table with its moments takes 7.7 GB. 200
different gradients take turns, so that rows are in no cache when they come again. The last contender only reads the
same rows of three tables and writes them back. THP_MEM_ALLOC_ENABLE=1 gives the weights large pages, too.
"""

import argparse
import subprocess
import sys
import time
from statistics import median

import torch

import adamas

WIDTH, TOUCHED, KINDS, ROUNDS = 64, 4096, 200, 3


def step(optimizer: torch.optim.Optimizer, p: torch.nn.Parameter, rows: torch.Tensor, values: torch.Tensor) -> float:
    """Return the seconds of a step, with a gradient as nn.Embedding makes it."""
    p.grad = torch.sparse_coo_tensor(rows[None], values[: len(rows)], p.shape, check_invariants=False)
    start = time.perf_counter()
    optimizer.step()
    return time.perf_counter() - start


def copy(tables: list[torch.Tensor], room: list[torch.Tensor], rows: torch.Tensor) -> float:
    """Return the seconds of reading rows of all tables and writing them back."""
    start = time.perf_counter()
    for table, each in zip(tables, room, strict=True):
        torch.index_select(table, 0, rows, out=each[: len(rows)])
        table.index_copy_(0, rows, each[: len(rows)])
    return time.perf_counter() - start


@torch.no_grad()
def measure(name: str, height: int, threads: int) -> float:
    """Return the median milliseconds of one contender."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    index = [torch.randint(0, height, (TOUCHED,)).unique() for _ in range(KINDS)]
    index = [rows[torch.randperm(len(rows))] for rows in index]
    values = torch.randn(TOUCHED, WIDTH)
    p = torch.nn.Parameter(torch.zeros(height, WIDTH))
    if name == "copy":
        optimizer = adamas.AdamW([p], sparse="lazy")
        step(optimizer, p, index[0], values)  # makes the moments, in pages such as ours are in
        moments = optimizer.state[p]
        tables = [p.detach(), moments["exp_avg"], moments["exp_avg_sq"]]
        room = [torch.empty(TOUCHED, WIDTH) for _ in tables]
        ordered = [rows.sort().values for rows in index]
        times = [copy(tables, room, rows) for _ in range(ROUNDS) for rows in ordered]
    else:
        optimizer = torch.optim.SparseAdam([p]) if name == "torch" else adamas.AdamW([p], sparse=name)
        times = [step(optimizer, p, rows, values) for _ in range(ROUNDS) for rows in index]
    return 1e3 * median(times[KINDS:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heights", type=int, nargs=2, default=[1_000_000, 10_000_000], help="rows of the tables")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of each contender")
    parser.add_argument("--only", nargs=2, metavar=("NAME", "HEIGHT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        print(measure(chosen.only[0], int(chosen.only[1]), chosen.threads))
        return
    short, tall = chosen.heights
    print(f"{TOUCHED} rows of {WIDTH} a step, {chosen.threads} threads, torch {torch.__version__}")
    print(f"{'':28}{short:>12}{tall:>12}  ratio")
    titles = {
        "torch": "torch.optim.SparseAdam",
        "lazy": "AdamW lazy",
        "exact": "AdamW exact",
        "copy": "read and write",
    }
    for name, title in titles.items():
        own = [sys.executable, __file__, "--threads", str(chosen.threads), "--only", name]
        a, b = (float(subprocess.check_output([*own, str(height)], text=True)) for height in (short, tall))
        print(f"{title:28}{a:9.3f} ms{b:9.3f} ms{b / a:7.2f}", flush=True)


if __name__ == "__main__":
    main()
