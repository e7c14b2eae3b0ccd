"""Trainings of every class, format and rounding, to be killed and resumed by other processes.

``python -m tests.checkpoint.resuming FOLDER`` forks a process that saves each in the middle, says so and trains on
until it is killed; then it makes them anew, with other weights and in another order, loads and finishes them.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch

import adamas
from adamas.formats import FORMATS
from adamas.rounding import ROUNDINGS

from ..contract.pairs import ENGINES, NAMES, STATEFUL
from ..contract.training import weights

MIDDLE, END = 4, 9
_DTYPES = (torch.float32, torch.bfloat16)


class Combination(NamedTuple):
    """One training."""

    name: str
    dtype: torch.dtype
    engine: str
    state_format: str = "auto"
    rounding: str = "auto"
    named: bool = True


COMBINATIONS = [
    *(Combination(*each) for each in product(NAMES, _DTYPES, ENGINES)),
    *(Combination(name, torch.bfloat16, "cpu", named=False) for name in NAMES),
    *(Combination("AdamW", *each) for each in product(_DTYPES, ENGINES, FORMATS, ROUNDINGS)),
]


class Training:
    """Weights that noisy gradients pull to zero: the noise depends on torch's and Python's generators."""

    def __init__(self, combination: Combination, fresh: bool) -> None:
        c, seed = combination, COMBINATIONS.index(combination)
        torch.manual_seed(seed if fresh else -1)
        random.seed(seed if fresh else -1)
        self.params = dict(zip("abc", weights(((7, 5), (33,), ()), c.dtype, seed=seed if fresh else 999), strict=True))
        order = reversed(self.params.items()) if c.named and not fresh else self.params.items()
        given = [pair if c.named else pair[1] for pair in order]
        more = {"state_format": c.state_format, "rounding": c.rounding}
        self.optimizer = getattr(adamas, c.name)(given, engine=c.engine, seed=5, lr=0.01, **more, **STATEFUL[c.name])
        self.model = torch.nn.ParameterDict(self.params)

    def steps(self, count: int) -> None:
        for _ in range(count):
            for p in self.params.values():
                p.grad = (p.detach() + torch.randn(p.shape) * random.random()).to(p.dtype)
            self.optimizer.step()

    def everything(self) -> dict[str, Any]:
        state = {name: dict(self.optimizer.state[p]) for name, p in self.params.items()}
        return {"weights": {name: p.detach() for name, p in self.params.items()}, "state": state}


def train(folder: Path, report: Callable[[], object]) -> None:
    trainings = []
    for number, combination in enumerate(COMBINATIONS):
        training = Training(combination, fresh=True)
        training.steps(MIDDLE)
        adamas.save(folder / f"{number}{('.safetensors', '.pt')[number % 2]}", training.model, training.optimizer)
        trainings.append(training)
    report()
    while True:
        for training in trainings:
            training.steps(1)


def resume(folder: Path) -> None:
    ends = []
    for number, combination in enumerate(COMBINATIONS):
        training = Training(combination, fresh=False)
        adamas.load(next(folder.glob(f"{number}.*")), training.model, training.optimizer)
        training.steps(END - MIDDLE)
        ends.append(training.everything())
    torch.save(ends, folder / "ends")


def main(folder: Path) -> None:
    reading, writing = os.pipe()
    first = os.fork()
    if first == 0:
        train(folder, lambda: os.write(writing, b"saved"))
    os.close(writing)
    if not os.read(reading, 5):
        raise RuntimeError("the training ended before it had saved")
    time.sleep(random.uniform(0, 0.1))
    os.kill(first, signal.SIGKILL)
    _, status = os.waitpid(first, 0)
    if os.WTERMSIG(status) != signal.SIGKILL:
        raise RuntimeError("the training ended by itself")
    resume(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
