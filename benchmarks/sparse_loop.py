"""Times the training of an embedding of 1M x 64 with sparse gradients: lookup, backward and step, 4096 numbers each.

    python benchmarks/sparse_loop.py [--height 1000000] [--rounds 7] [--threads 2]

Unlike in `adamas bench P6`, gradients are new in every step, some rows are looked up several times, and backward has
emptied the caches of what a step needs, Python's own code included. Rows are drawn alike, or by Zipf's law as words
are. All optimizers are in one process, take turns, and see the same rows; `exact` has `optimizer.attach`, so its
lookups catch up rows.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median

import torch

import adamas
from adamas.lab.bench.summary import ratio_of_medians

WIDTH, DRAWN, STEPS = 64, 4096, 40


def alike(height: int, generator: torch.Generator) -> torch.Tensor:
    """Return numbers of rows, each as likely as any other."""
    return torch.randint(0, height, (DRAWN,), generator=generator)


def zipf(height: int, generator: torch.Generator) -> torch.Tensor:
    """Return numbers of rows, row k with a chance in proportion to 1/k: about, by its continuous kin."""
    return (float(height) ** torch.rand(DRAWN, generator=generator)).long().clamp_max(height) - 1


class Training:
    """An embedding, its optimizer, and the times of each round: of a step, and of lookup, backward and step."""

    def __init__(self, name: str, height: int) -> None:
        self.words = torch.nn.Embedding(height, WIDTH, sparse=True)
        parameters = self.words.parameters()
        self.optimizer: torch.optim.Optimizer
        if name == "torch.optim.SparseAdam":
            self.optimizer = torch.optim.SparseAdam(list(parameters))
        elif name == "adamas.SparseAdam":
            self.optimizer = adamas.SparseAdam(list(parameters))
        else:
            optimizer = adamas.AdamW(parameters, sparse=name.split()[1])
            if name == "AdamW exact":
                optimizer.attach(self.words)
            self.optimizer = optimizer
        self.target = torch.randn(DRAWN, WIDTH)
        self.times: list[tuple[float, float]] = []

    def take_turn(self, batches: Iterator[torch.Tensor]) -> None:
        """Train with some batches; keep the median milliseconds of a step and of all."""
        steps, alls = [], []
        for rows in batches:
            start = time.perf_counter()
            (self.words(rows) * self.target).sum().backward()
            before = time.perf_counter()
            self.optimizer.step()
            end = time.perf_counter()
            self.optimizer.zero_grad()
            steps.append(1e3 * (end - before))
            alls.append(1e3 * (end - start))
        self.times.append((median(steps), median(alls)))


def compare(names: list[str], draw: Callable[..., torch.Tensor], height: int, rounds: int) -> None:
    """Print how long each takes, and torch's time beside it."""
    trainings = {name: Training(name, height) for name in names}
    for number in range(rounds + 1):
        for training in trainings.values():
            generator = torch.Generator().manual_seed(number)
            training.take_turn(draw(height, generator) for _ in range(STEPS))
            if number == 0:  # moments were made
                training.times.clear()
    base = list(zip(*trainings[names[0]].times, strict=True))
    for name, training in trainings.items():
        row = ""
        for ours, theirs in zip(zip(*training.times, strict=True), base, strict=True):
            ratio = ratio_of_medians(list(theirs), list(ours))
            row += f"{min(ours):10.2f} {median(ours):6.2f} ms {ratio.value:5.1f} ({ratio.low:.1f}-{ratio.high:.1f})"
        print(f"{name:24}{row}", flush=True)


def main() -> None:
    """Print a table for each way to draw rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1_000_000, help="rows of the embedding")
    parser.add_argument("--rounds", type=int, default=7, help=f"turns of {STEPS} steps each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    table = f"embedding of {chosen.height} x {WIDTH}, {DRAWN} lookups a step"
    print(f"{table}, {chosen.threads} threads, torch {torch.__version__}")
    print("fastest and median; how many times as long torch.optim.SparseAdam takes")
    for draw in (alike, zipf):
        seen = draw(chosen.height, torch.Generator().manual_seed(0)).unique().numel()
        print(f"\n{f'rows drawn {draw.__name__}, {seen} of them':32}{'step':>16}{'lookup, backward, step':>34}")
        names = ["torch.optim.SparseAdam", "adamas.SparseAdam", "AdamW lazy", "AdamW exact"]
        compare(names, draw, chosen.height, chosen.rounds)


if __name__ == "__main__":
    main()
