"""What runs at several settings say: which to compare, and how they differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from adamas.lab.analysis import Band
from adamas.lab.results import Run
from adamas.lab.tune import FIRST_SEED, score, worth

Key = tuple[str, str]
"""Workload and optimizer."""


@dataclass(frozen=True)
class Trial:
    """All seeds of one setting of an optimizer on a workload.

    Args:
        lr: the learning rate.
        runs: one per seed.
    """

    lr: float
    runs: tuple[Run, ...]

    @property
    def score(self) -> float:
        """Mean logarithm of the train loss, median over seeds; infinite where most diverged."""
        return median(score(run) for run in self.runs)

    @property
    def worth(self) -> float:
        """The same, but no more than that of never having trained, so that it can be averaged."""
        return worth(self.runs)

    @property
    def cost(self) -> Band:
        """Geometric mean of the train loss over a run, with the band over seeds."""
        return Band.over(math.exp(score(run)) for run in self.runs)

    @property
    def diverged(self) -> float:
        """Share of seeds that diverged."""
        return sum(run.result.diverged for run in self.runs) / len(self.runs)


def trials(runs: Sequence[Run]) -> dict[Key, list[Trial]]:
    """Groups runs by workload and optimizer, and then by setting, ordered by learning rate.

    Where there are runs of a search, which have seeds of their own, only those count.
    """
    groups: dict[Key, dict[str, list[Run]]] = {}
    for run in runs:
        settings = groups.setdefault((run.spec.workload, run.spec.optimizer), {})
        settings.setdefault(repr(sorted(run.spec.hyperparameters.items())), []).append(run)
    found = {}
    for key, settings in groups.items():
        searched = [[run for run in each if run.spec.seed >= FIRST_SEED] for each in settings.values()]
        chosen = [each for each in searched if each] or list(settings.values())
        found[key] = sorted((Trial(rate(each[0]), tuple(each)) for each in chosen), key=lambda trial: trial.lr)
    return found


def rate(run: Run) -> float:
    """The learning rate of a run."""
    lr = run.spec.hyperparameters["lr"]
    assert isinstance(lr, (int, float))
    return lr


def compared(runs: Sequence[Run]) -> list[Run]:
    """The runs that a comparison is about: of every workload and optimizer the best setting, on paired seeds.

    Runs of a search only count where there are no others.
    """
    best: list[Run] = []
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.workload, run.spec.optimizer), []).append(run)
    for members in groups.values():
        paired = [run for run in members if run.spec.seed < FIRST_SEED] or members
        [options] = trials(paired).values()
        best += min(options, key=lambda trial: trial.score).runs
    return best
