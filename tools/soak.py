"""Many trainings in one process: nothing may grow with their number. Linux only: it reads /proc.

    python tools/soak.py ROUNDS

A round makes a model and an optimizer of the next kind, steps, saves, loads, copies, releases, and drops all of it.
After a tenth of the rounds (at least 20, which bring pools and caches to their size) memory, open files and threads are
measured ten times, evenly; what was dropped must be gone, and nothing may be more at the end than it was.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

import adamas

KINDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("AdamW", {}),
    ("AdamW", {"state_format": "int8", "sparse": "lazy"}),
    ("Adam", {"clip_norm": 1.0, "nonfinite": "skip"}),
    ("SGD", {"momentum": 0.9}),
    ("AdamW", {"state_format": "int4", "clip_update": 1.0}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("NAdam", {}),
    ("Lion", {}),
    ("AdamW", {"engine": "reference"}),
)
_MEASURED = 10
_SLACK = 1 << 20  # bytes: a page table, a pool of the allocator


class Size(NamedTuple):
    """What the process has."""

    memory: int
    files: int
    threads: int


def size() -> Size:
    """Return the resident bytes, open files and threads of this process, with all garbage taken away."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    own = Path("/proc/self")
    pages = int((own / "statm").read_text().split()[1])
    return Size(pages * 4096, len(list((own / "fd").iterdir())), len(list((own / "task").iterdir())))


class Model(torch.nn.Module):
    """Rows with sparse gradients, and dense ones; 30 thousand weights."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(300, 32, sparse=True, dtype=dtype)
        self.layer = torch.nn.Linear(32, 600, dtype=dtype)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Return a loss."""
        return self.layer(self.words(words)).square().mean()


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Take some steps."""
    for _ in range(steps):
        model(torch.randint(300, (8,))).backward()
        optimizer.step()
        optimizer.zero_grad()


def life(number: int, folder: Path) -> weakref.ref[adamas.Optimizer]:
    """Live through one training; return what should be dead afterwards."""
    name, options = KINDS[number % len(KINDS)]
    if "clip_update" in options or number % 2:
        model = Model(torch.bfloat16 if number % 3 else torch.float32)
        model.words.sparse = False
    else:
        model = Model(torch.float32)
    make: Callable[..., adamas.Optimizer] = getattr(adamas, name)
    optimizer = make(model.named_parameters(), **options)
    optimizer.diagnose_every = 2
    train(model, optimizer, 3)
    adamas.save(folder, model, optimizer, keep=2)
    adamas.load(folder, model, optimizer)
    other = copy.deepcopy((model, optimizer)) if number % 2 else pickle.loads(pickle.dumps((model, optimizer)))
    train(other[0], other[1], 1)
    optimizer.diagnose_every = None
    optimizer.add_param_group({"params": [("late", torch.nn.Parameter(torch.ones(5)))]})
    optimizer.replace(model.layer.bias, torch.nn.Parameter(torch.ones(700)))
    if not model.words.sparse and "clip_norm" not in options:
        released = make(model.parameters(), **options)
        handle = released.release(model)
        model(torch.randint(300, (8,))).backward()
        released.step()
        if number % 4 == 1:
            handle.remove()
    return weakref.ref(optimizer)


def soak(rounds: int) -> list[Size]:
    """Live through many trainings; return what the process had on the way."""
    warm = max(20, rounds // 10)
    sizes, alive = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(warm + rounds):
            alive.append(life(number, Path(folder)))
            if number >= warm and (number - warm) % max(1, rounds // _MEASURED) == 0:
                sizes.append(size())
        gc.collect()
        left = sum(each() is not None for each in alive)
        if left:
            raise SystemExit(f"soak: {left} of {len(alive)} optimizers were dropped and are still there")
    return sizes


def main(rounds: int) -> int:
    """Soak, say what was seen, and fail if anything grew."""
    start = time.perf_counter()
    sizes = soak(rounds)
    for each in sizes:
        print(f"{each.memory / 2**20:8.1f} MiB {each.files:3d} files {each.threads:3d} threads")
    half = len(sizes) // 2
    early, late = (Size(*map(max, zip(*part, strict=True))) for part in (sizes[:half], sizes[half:]))
    more = late.memory - early.memory
    print(f"{rounds} trainings in {time.perf_counter() - start:.0f} s: {more:+d} bytes in the second half")
    grown = late.memory > early.memory + _SLACK or late.files > early.files or late.threads > early.threads
    if grown:
        print(f"soak: grew from {early} to {late}")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
