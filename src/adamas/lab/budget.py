"""Score against tuning budget: what is to be expected of the best of k trials, for every k.

Optimizers differ in how much tuning they need: one may be ahead after 100 trials and behind after 5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """The best score after some trials: its mean, and the range of the middle 80 %."""

    mean: float
    low: float
    high: float


def best_after(scores: Sequence[float], trials: int) -> Expected:
    """What to expect of the best (least) score among that many trials, drawn from the given without replacement.

    Dodge et al. (2019), "Show your work", but exact and without replacement: of n trials in ascending order, the
    i-th is the best of k with probability C(n - i, k - 1) / C(n, k).

    Args:
        scores: scores of all trials, lower is better, all of them finite.
        trials: k, at most their number.

    Example:
        >>> best_after([3.0, 1.0, 2.0], 1).mean
        2.0
        >>> best_after([3.0, 1.0, 2.0], 3)
        Expected(mean=1.0, low=1.0, high=1.0)
    """
    ordered, count = sorted(scores), len(scores)
    ways = math.comb(count, trials)
    chances = [math.comb(count - place, trials - 1) / ways for place in range(1, count + 1)]
    mean = math.fsum(score * chance for score, chance in zip(ordered, chances, strict=True) if chance > 0)
    return Expected(mean, _quantile(ordered, chances, 0.1), _quantile(ordered, chances, 0.9))


def _quantile(ordered: Sequence[float], chances: Sequence[float], share: float) -> float:
    total = 0.0
    for score, chance in zip(ordered, chances, strict=True):
        total += chance
        if total >= share - 1e-12:
            return score
    return ordered[-1]


def steps_of_budget(trials: int) -> list[int]:
    """The numbers of trials worth a column: 1, 3, 10, 30 and so on, and all of them.

    Example:
        >>> steps_of_budget(9), steps_of_budget(40)
        ([1, 3, 9], [1, 3, 10, 40])
    """
    scale = [factor * 10**power for power in range(len(str(trials))) for factor in (1, 3)]
    # Two columns that are nearly the same number of trials say the same thing.
    return [*(step for step in scale if 2 * step < trials), trials]
