"""Targets that tell optimizers apart.

A target that everyone reaches within an evaluation or two, or that nobody reaches, compares nothing. Candidates are
what the best optimizer has reached by some share of the budget, median over seeds; that one is taken with which the
most pairs of optimizers differ by more than their seeds do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from adamas.lab.analysis import Band, Crossing, crossing, fewer
from adamas.lab.results import Run

FIRST_SEED = 2000
"""Seeds of calibrations start here: a target is judged neither on these nor on those of the learning rates."""

_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)


@dataclass(frozen=True)
class Candidate:
    """A target and how well it tells optimizers apart.

    Args:
        target: a train loss.
        share: share of the budget by which the best optimizer has it.
        index: discrimination index, share of pairs of optimizers whose bands of steps to the target are apart.
        reached: number of optimizers whose median run reaches it.
    """

    target: float
    share: float
    index: float
    reached: int


def discrimination(crossings: Mapping[str, Sequence[Crossing]]) -> float:
    """Share of pairs of optimizers of which one is clearly faster: their seed bands do not overlap.

    Example:
        >>> fast, slow, never = ([Crossing(step, step)] * 2 for step in (10, 50, math.inf))
        >>> discrimination({"adam": fast, "sgd": slow, "lion": fast}), discrimination({"adam": never, "sgd": never})
        (0.6666666666666666, 0.0)
    """
    firsts = [[each.first for each in seeds] for seeds in crossings.values()]
    pairs = list(combinations(firsts, 2))
    return sum(fewer(one, other) != "undecided" for one, other in pairs) / len(pairs)


def judge(runs: Mapping[str, Sequence[Run]], target: float, share: float = math.nan) -> Candidate:
    """How well a target tells optimizers apart.

    Args:
        runs: runs by optimizer, one per seed.
        target: a train loss.
        share: share of the budget it was taken from.
    """
    crossings = {name: [_crossing(run, target) for run in seeds] for name, seeds in runs.items()}
    reached = sum(math.isfinite(Band.over(each.first for each in seeds).median) for seeds in crossings.values())
    return Candidate(target, share, discrimination(crossings), reached)


def candidates(runs: Mapping[str, Sequence[Run]]) -> list[Candidate]:
    """Targets to choose from, the best of k optimizers by several shares of the budget.

    Args:
        runs: runs by optimizer, one per seed, the same seeds for all.
    """
    found = []
    for share in _SHARES:
        best = [min(_least(run, share) for run in seed) for seed in zip(*runs.values(), strict=True)]
        if math.isfinite(target := _attainable(median(best))):
            found.append(judge(runs, target, share))
    return found


def choose(found: Sequence[Candidate]) -> Candidate:
    """The candidate with the greatest index; of equals, the one most optimizers reach, then the hardest.

    Example:
        >>> choose([Candidate(0.5, 0.1, 0.2, 5), Candidate(0.2, 0.3, 0.8, 3), Candidate(0.1, 0.6, 0.8, 2)]).target
        0.2
    """
    return max(found, key=lambda each: (each.index, each.reached, -each.target))


def _crossing(run: Run, target: float) -> Crossing:
    points = run.result.points
    return crossing([point.step for point in points], [point.train_loss for point in points], target)


def _least(run: Run, share: float) -> float:
    """The least loss by a share of the budget; NaN and infinity are above every other."""
    losses = [point.train_loss for point in run.result.points if point.step <= share * run.spec.steps]
    return min((loss for loss in losses if math.isfinite(loss)), default=math.inf)


def _attainable(loss: float) -> float:
    """The loss in three digits, rounded up: down, and the run it was taken from might miss it.

    Two are too few for a loss that falls from 30 to 24 in all of its training.
    """
    if not 0 < loss < math.inf:
        return math.inf
    scale = 10 ** (math.floor(math.log10(loss)) - 2)
    return float(f"{math.ceil(loss / scale - 1e-9) * scale:.3g}")
