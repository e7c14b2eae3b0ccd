"""Times sparse steps of tables in other dtypes, formats and roundings than float32: 4096 rows of 1M x 64 in each.

    python benchmarks/sparse_formats.py [--height 1000000] [--rounds 5] [--threads 2]

AdamW, all in one process and in turns; 100 different gradients take turns, too, so that rows are in no cache when they
come again. It takes 7 GB. With --height 10000 everything is in caches: what is left is computing, and Python.
`read` is what `optimizer.attach` does before rows are read (exact alone); the step after it finds them in caches.
"""

import argparse
import time
from statistics import median
from typing import Any

import torch

import adamas

WIDTH, TOUCHED, KINDS = 64, 4096, 100
CASES: tuple[tuple[torch.dtype, str, str, str], ...] = (
    (torch.float32, "float32", "nearest", "exact"),
    (torch.float32, "float32", "nearest", "lazy"),
    (torch.float32, "int8", "nearest", "lazy"),
    (torch.float32, "int4", "nearest", "lazy"),
    (torch.bfloat16, "float32", "stochastic", "exact"),
    (torch.bfloat16, "float32", "stochastic", "lazy"),
    (torch.bfloat16, "float32", "split24", "exact"),
    (torch.bfloat16, "bfloat16", "stochastic", "exact"),
    (torch.bfloat16, "int8", "stochastic", "lazy"),
    (torch.float64, "auto", "nearest", "exact"),
)


class Table:
    """A table of one case, its optimizer and its gradients."""

    def __init__(self, height: int, dtype: torch.dtype, form: str, rounding: str, sparse: str) -> None:
        self.p = torch.nn.Parameter(torch.zeros(height, WIDTH, dtype=dtype))
        options: dict[str, Any] = {"state_format": form, "rounding": rounding, "sparse": sparse}
        self.optimizer = adamas.AdamW([self.p], **options)
        generator = torch.Generator().manual_seed(0)
        self.rows = []
        for _ in range(KINDS):
            rows = torch.randint(0, height, (TOUCHED,), generator=generator).unique()
            self.rows.append(rows[torch.randperm(len(rows), generator=generator)])
        self.values = torch.randn(TOUCHED, WIDTH, generator=generator).to(dtype)
        self.times: list[tuple[float, float, float]] = []

    def take_turn(self) -> tuple[float, float, float]:
        """Return the median milliseconds of a step, of reading rows, and of a step of rows that were read."""
        alone, reads, after = [], [], []
        for rows in self.rows:
            alone.append(self.step(rows))
        for rows in self.rows:
            start = time.perf_counter()
            self.optimizer.catch_up(self.p, rows)
            reads.append(time.perf_counter() - start)
            after.append(self.step(rows))
        return 1e3 * median(alone), 1e3 * median(reads), 1e3 * median(after)

    def step(self, rows: torch.Tensor) -> float:
        """Return the seconds of a step with a gradient of these rows."""
        self.p.grad = torch.sparse_coo_tensor(
            rows[None], self.values[: len(rows)], self.p.shape, check_invariants=False
        )
        start = time.perf_counter()
        self.optimizer.step()
        return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1_000_000, help="rows of the tables")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each table")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of a step")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    tables = [Table(chosen.height, *case) for case in CASES]
    for number in range(chosen.rounds + 1):
        for table in tables:
            taken = table.take_turn()
            if number:  # the first turn makes the moments
                table.times.append(taken)
    print(f"{TOUCHED} of {chosen.height} rows of {WIDTH} a step, {chosen.threads} threads, torch {torch.__version__}")
    print("milliseconds, fastest and median")
    print(f"{'weights':10}{'moments':10}{'rounding':12}{'sparse':8}{'step':>12}{'read':>14}{'step then':>14}")
    for (dtype, form, rounding, sparse), table in zip(CASES, tables, strict=True):
        name = str(dtype).removeprefix("torch.")
        columns = list(zip(*table.times, strict=True))[: 3 if sparse == "exact" else 1]
        times = "  ".join(f"{min(each):.3f} {median(each):.3f}" for each in columns)
        print(f"{name:10}{name if form == 'auto' else form:10}{rounding:12}{sparse:8} {times}")


if __name__ == "__main__":
    main()
