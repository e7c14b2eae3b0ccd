"""Times sparse steps of a short and a tall table of 64 columns, 4096 rows of it in each, and what memory alone takes.

    python benchmarks/sparse_heights.py [--large-pages] [--heights 1000000 10000000] [--rounds 7] [--starts 1]

Each table lives in a process of its own; the short and the tall one of a contender take turns, so that a busy machine
slows both alike. (Not all contenders do: a tall table with its moments takes 7.7 GB.) 200 different gradients take
turns, too, so that rows are in no cache when they come again. The last contender only reads the same rows of three
tables and writes them back. Moments are in large pages where the system gives them; weights are with --large-pages.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import chain
from statistics import median
from typing import Any

import torch

import adamas
from adamas.lab.bench.child import Child
from adamas.lab.bench.summary import ratio_of_medians
from adamas.lab.bench.worker import settle

WIDTH, TOUCHED, KINDS = 64, 4096, 200
TITLES = {
    "torch": "torch.optim.SparseAdam",
    "lazy": "AdamW lazy",
    "exact": "AdamW exact",
    "copy": "read and write",
}


def steps(optimizer: torch.optim.Optimizer, p: torch.nn.Parameter) -> Callable[[torch.Tensor, torch.Tensor], Any]:
    """Return what is timed with a gradient as nn.Embedding makes it."""

    def call(rows: torch.Tensor, values: torch.Tensor) -> Callable[[], Any]:
        p.grad = torch.sparse_coo_tensor(rows[None], values[: len(rows)], p.shape, check_invariants=False)
        return optimizer.step

    return call


def copies(p: torch.nn.Parameter) -> Callable[[torch.Tensor, torch.Tensor], Any]:
    """Return what reads rows of weights and moments and writes them back."""
    optimizer = adamas.AdamW([p], sparse="lazy")
    steps(optimizer, p)(torch.arange(8), torch.ones(8, WIDTH))()  # makes the moments, in pages such as ours are in
    tables = [p.detach(), *(optimizer.state[p][name] for name in ("exp_avg", "exp_avg_sq"))]
    room = [torch.empty(TOUCHED, WIDTH) for _ in tables]

    def call(rows: torch.Tensor, values: torch.Tensor) -> Callable[[], Any]:
        rows = rows.sort().values

        def copy() -> None:
            for table, each in zip(tables, room, strict=True):
                torch.index_select(table, 0, rows, out=each[: len(rows)])
                table.index_copy_(0, rows, each[: len(rows)])

        return copy

    return call


@torch.no_grad()
def serve() -> None:
    """Be the process of one table: make what the first line asks for, then time all gradients for every other line."""
    replies = sys.stdout
    sys.stdout = sys.stderr
    job = json.loads(sys.stdin.readline())
    torch.manual_seed(0)
    index = [torch.randint(0, job["height"], (TOUCHED,)).unique() for _ in range(KINDS)]
    index = [rows[torch.randperm(len(rows))] for rows in index]
    values = torch.randn(TOUCHED, WIDTH)
    p = torch.nn.Parameter(torch.zeros(job["height"], WIDTH))
    if job["contender"] == "copy":
        prepare = copies(p)
    else:
        ours = job["contender"] != "torch"
        optimizer = adamas.AdamW([p], sparse=job["contender"]) if ours else torch.optim.SparseAdam([p])
        prepare = steps(optimizer, p)
    for rows in index:
        prepare(rows, values)()
    print(json.dumps({}), file=replies, flush=True)
    for _ in sys.stdin:
        times = []
        for rows in index:
            call = prepare(rows, values)
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        settle()
        print(json.dumps({"ms": 1e3 * median(times)}), file=replies, flush=True)


def compare(contender: str, heights: list[int], rounds: int, threads: int) -> list[list[float]]:
    """Return the median milliseconds of each round, of the short and of the tall table."""
    command = (sys.executable, __file__, "--serve")
    children: list[Child] = []
    try:
        for height in heights:  # one after the other: their first steps find out how rows are best asked for
            children.append(
                Child(f"{contender} {height}", {"contender": contender, "height": height}, threads, command)
            )
            children[-1].ready()
        turns = [[child.ask()["ms"] for child in children] for _ in range(rounds)]
    finally:
        for child in children:
            child.close()
    return [list(each) for each in zip(*turns, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heights", type=int, nargs=2, default=[1_000_000, 10_000_000], help="rows of the tables")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each table")
    parser.add_argument("--starts", type=int, default=1, help="start all processes anew so often, for --rounds each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of each process")
    parser.add_argument("--only", choices=TITLES, nargs="+", default=list(TITLES), help="contenders")
    parser.add_argument("--large-pages", action="store_true", help="set THP_MEM_ALLOC_ENABLE=1, as a program would")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return serve()
    if chosen.large_pages:
        os.environ["THP_MEM_ALLOC_ENABLE"] = "1"  # what processes started from here on inherit
    short, tall = chosen.heights
    print(f"{TOUCHED} rows of {WIDTH} a step, {chosen.threads} threads, torch {torch.__version__}; fastest and median")
    print(f"{'':24}{short:>20}{tall:>20}  ratio")
    for name in chosen.only:
        starts = [compare(name, chosen.heights, chosen.rounds, chosen.threads) for _ in range(chosen.starts)]
        times = [list(chain.from_iterable(each)) for each in zip(*starts, strict=True)]
        row = "".join(f"{min(each):9.3f} {median(each):7.3f} ms" for each in times)
        ratio = ratio_of_medians(times[1], times[0], chosen.rounds)
        print(f"{TITLES[name]:24}{row}  {ratio.value:.2f} ({ratio.low:.2f}-{ratio.high:.2f})", flush=True)


if __name__ == "__main__":
    main()
