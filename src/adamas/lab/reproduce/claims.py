"""Predicates over runs: ahead, alike, sooner. What counts as each is in its sentence.

A cost is a train loss. An average cost is the geometric mean over the evaluations of a run, so that a fast start
and a low end both count; a run that diverged costs infinity.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from adamas.lab import text
from adamas.lab.analysis import Verdict, fewer
from adamas.lab.reproduce.figure import Judgement, Outcome
from adamas.lab.results import Run

Measure = Callable[[Run], float]


def average_cost(run: Run) -> float:
    """Geometric mean of the train loss over the evaluations after the first step; infinite if the run diverged."""
    if run.result.diverged:
        return math.inf
    # A loss of exactly zero is possible in float32 and would outweigh everything else.
    return math.exp(fmean(math.log(max(point.train_loss, 1e-8)) for point in run.result.points[1:]))


def cost_at(share: float) -> Measure:
    """The train loss after a share of the run."""

    def cost(run: Run) -> float:
        if run.result.diverged:
            return math.inf
        return next(point.train_loss for point in run.result.points if point.step >= share * run.spec.steps - 1e-6)

    return cost


def within(values: Sequence[float], low: float, high: float) -> Verdict:
    """Judges "all are between low and high": undecided unless all are in, or all are on one side out.

    Example:
        >>> within([0.95, 1.05], 0.9, 1.1), within([1.2, 1.3], 0.9, 1.1), within([1.0, 1.2], 0.9, 1.1)
        ('holds', 'does not hold', 'undecided')
    """
    if all(low <= value <= high for value in values):
        return "holds"
    outside = all(value > high for value in values) or all(value < low for value in values)
    return "does not hold" if outside else "undecided"


def shown(values: Sequence[float]) -> str:
    """Median and range of some numbers, as readings have them.

    Example:
        >>> shown([3.0, 1.0, 2.0])
        '2 (1 to 3)'
    """
    return f"{text.significant(median(values))} ({text.significant(min(values))} to {text.significant(max(values))})"


@dataclass(frozen=True)
class Ahead:
    """That one arm's cost is lower than another's, by whether their ranges over seeds overlap.

    Args:
        ahead: name of the arm that is said to be ahead.
        behind: name of the other.
        sentence: the claim in words.
        measure: what is compared.
        what: the measure in words.
    """

    ahead: str
    behind: str
    sentence: str
    measure: Measure = average_cost
    what: str = "average cost"

    def judge(self, outcome: Outcome) -> Judgement:
        """Compares the measure of all seeds."""
        low, high = (tuple(map(self.measure, outcome.best[name].runs)) for name in (self.ahead, self.behind))
        reading = f"{self.what} {shown(low)} against {shown(high)}"
        return Judgement(fewer(low, high), reading, {self.ahead: low, self.behind: high})


@dataclass(frozen=True)
class Alike:
    """That the costs of two arms differ by no more than a factor, seed by seed.

    Args:
        one: name of an arm.
        other: name of another.
        sentence: the claim in words.
        factor: how much they may differ.
    """

    one: str
    other: str
    sentence: str
    factor: float = 1.1

    def judge(self, outcome: Outcome) -> Judgement:
        """Compares average costs of paired seeds."""
        pairs = zip(outcome.best[self.one].runs, outcome.best[self.other].runs, strict=True)
        ratios = tuple(_ratio(average_cost(a), average_cost(b)) for a, b in pairs)
        reading = f"ratio of average costs {shown(ratios)}; alike means at most a factor of {self.factor:g}"
        return Judgement(within(ratios, 1 / self.factor, self.factor), reading, {"ratio": ratios})


def _ratio(a: float, b: float) -> float:
    return a / b if math.isfinite(b) else (0.0 if math.isfinite(a) else math.inf)


@dataclass(frozen=True)
class Sooner:
    """That one arm reaches the cost with which another ends in under a share of the steps, seed by seed.

    Args:
        sooner: name of the arm that is said to be far ahead.
        later: name of the other.
        sentence: the claim in words.
        share: of all steps.
    """

    sooner: str
    later: str
    sentence: str
    share: float = 0.5

    def judge(self, outcome: Outcome) -> Judgement:
        """Finds the first evaluation at or under the other's last cost of the same seed."""
        pairs = zip(outcome.best[self.sooner].runs, outcome.best[self.later].runs, strict=True)
        shares = tuple(_reached(run, cost_at(1.0)(other)) for run, other in pairs)
        verdict = fewer(shares, [self.share])
        return Judgement(verdict, f"there after {shown(shares)} of the steps", {"share of steps": shares})


def _reached(run: Run, cost: float) -> float:
    """The share of its steps after which a run is at or under a cost; infinite if it never is."""
    steps = (point.step / run.spec.steps for point in run.result.points if point.train_loss <= cost)
    return next(steps, math.inf)
