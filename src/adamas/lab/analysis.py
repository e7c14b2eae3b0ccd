"""From runs to what they say: crossings of the target, medians with bands over seeds, standings and verdicts.

Whatever was not reached is infinite, and compares and prints as such; nothing is left out of a median.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, median_high, median_low
from typing import Literal

from adamas.lab import workloads
from adamas.lab.results import Result, Run
from adamas.lab.tune import FIRST_SEED

HOLD = 2
"""Evaluations in a row for which a loss must stay at or under the target to have reached it."""

Verdict = Literal["holds", "does not hold", "undecided"]
Standing = Literal["first", "tied", "behind", "missed"]


@dataclass(frozen=True)
class Band:
    """Median, least and greatest value over seeds."""

    median: float
    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> "Band":
        """The band of some values, in which NaN counts as infinity: a diverged loss is no small one.

        Example:
            >>> Band.over([3.0, 1.0, float("nan")])
            Band(median=3.0, low=1.0, high=inf)
        """
        numbers = [math.inf if math.isnan(value) else value for value in values]
        middle, most = median(numbers), median_high(numbers)
        # The sum of the middle two may be more than a float holds, or that of two infinities.
        return cls(middle if median_low(numbers) <= middle <= most else most, min(numbers), max(numbers))


@dataclass(frozen=True)
class Crossing:
    """Where a loss curve reaches a target.

    Args:
        first: the first step at which it does and holds for `HOLD` evaluations, or infinity.
        lasting: the first step after which it never again is above, or infinity.
    """

    first: float
    lasting: float


def crossing(steps: Sequence[int], losses: Sequence[float], target: float) -> Crossing:
    """Finds where a loss reaches a target, for a while and for good.

    Args:
        steps: steps of the evaluations, ascending.
        losses: the loss at each of them; NaN is above every target.
        target: loss to reach.

    Example:
        >>> crossing([0, 10, 20, 30, 40, 50], [2.0, 0.4, 0.3, 0.6, 0.4, 0.2], target=0.5)
        Crossing(first=10, lasting=40)
        >>> crossing([0, 10, 20], [2.0, 1.0, 0.4], target=0.5)
        Crossing(first=inf, lasting=inf)
    """
    reached = [loss <= target for loss in losses]
    holds = [index for index in range(len(reached) - HOLD + 1) if all(reached[index : index + HOLD])]
    tail = len(reached)
    while tail > 0 and reached[tail - 1]:
        tail -= 1
    return Crossing(
        first=steps[holds[0]] if holds else math.inf,
        lasting=steps[tail] if len(reached) - tail >= HOLD else math.inf,
    )


def fewer(a: Sequence[float], b: Sequence[float]) -> Verdict:
    """Judges the claim "a is less than b" by whether the bands over seeds overlap.

    Example:
        >>> fewer([100, 120], [140, math.inf]), fewer([150], [140]), fewer([100, 150], [120, 160])
        ('holds', 'does not hold', 'undecided')
        >>> fewer([math.inf], [math.inf])
        'undecided'
    """
    if max(a) < min(b):
        return "holds"
    return "does not hold" if min(a) > max(b) else "undecided"


def _seconds_at(result: Result, step: float) -> float:
    return next((point.seconds for point in result.points if point.step == step), math.inf)


@dataclass(frozen=True)
class Summary:
    """All seeds of one optimizer on one workload.

    Args:
        workload: name of the workload.
        optimizer: name of the optimizer.
        lr: learning rate of these runs.
        runs: one run per seed, ordered by seed.
        crossings: where each of them reaches the workload's target.
    """

    workload: str
    optimizer: str
    lr: float
    runs: tuple[Run, ...]
    crossings: tuple[Crossing, ...]

    @property
    def first(self) -> Band:
        """Steps to the target, the first time it holds."""
        return Band.over(crossing.first for crossing in self.crossings)

    @property
    def lasting(self) -> Band:
        """Steps to the target, for good."""
        return Band.over(crossing.lasting for crossing in self.crossings)

    @property
    def seconds_to_target(self) -> Band:
        """Wall time of the training steps up to the first crossing."""
        pairs = zip(self.runs, self.crossings, strict=True)
        return Band.over(_seconds_at(run.result, crossing.first) for run, crossing in pairs)

    @property
    def reached(self) -> int:
        """Number of seeds that reach the target."""
        return sum(math.isfinite(crossing.first) for crossing in self.crossings)

    @property
    def seconds(self) -> Band:
        """Wall time of all training steps."""
        return Band.over(run.result.points[-1].seconds for run in self.runs)

    @property
    def optimizer_seconds(self) -> Band:
        """The part of `seconds` spent in the optimizer."""
        return Band.over(run.result.points[-1].optimizer_seconds for run in self.runs)

    @property
    def optimizer_step(self) -> Band:
        """Seconds per optimizer step."""
        return Band.over(run.result.optimizer_step_seconds for run in self.runs)

    @property
    def state_bytes(self) -> int:
        """Bytes of optimizer state; the same for every seed."""
        return self.runs[0].result.state_bytes

    @property
    def test_metric(self) -> Band:
        """The metric on unseen data at the end; 0 where a run diverged."""
        return Band.over(0.0 if run.result.diverged else run.result.points[-1].test_metric for run in self.runs)

    @property
    def steps(self) -> list[int]:
        """Steps at which the runs were evaluated; a run that diverged early has only the first of them."""
        return max(([point.step for point in run.result.points] for run in self.runs), key=len)

    def loss_at(self, step: int) -> Band:
        """Train loss at a step; infinite where a run had diverged by then."""
        curves = [{point.step: point.train_loss for point in run.result.points} for run in self.runs]
        return Band.over(curve.get(step, math.inf) for curve in curves)

    def metric_at(self, step: int) -> Band:
        """Test metric at a step; 0 where a run had diverged by then."""
        curves = [{point.step: point.test_metric for point in run.result.points} for run in self.runs]
        return Band.over(curve.get(step, 0.0) for curve in curves)

    def seconds_at(self, step: int) -> float:
        """Median wall time of the training steps up to a step."""
        return median(_seconds_at(run.result, step) for run in self.runs)


def comparable(runs: Sequence[Run]) -> list[Run]:
    """Out of runs of one workload and optimizer, those that a comparison is made of, ordered by seed.

    A folder also holds what `tune`, `batch` and `run` left. Runs on the seeds of a search are no comparison, if
    there are others; and of the settings that remain, the one with the most seeds is it (the first, if several).

    Args:
        runs: all of one workload and one optimizer.
    """
    compared = [run for run in runs if run.spec.seed < FIRST_SEED] or list(runs)
    by_setting: dict[str, list[Run]] = {}
    for run in compared:
        by_setting.setdefault(run.spec.model_copy(update={"seed": 0}).canonical_json(), []).append(run)
    return sorted(max(by_setting.values(), key=len), key=lambda run: run.spec.seed)


def summarize(runs: Iterable[Run]) -> list[Summary]:
    """Summarizes what is `comparable` by workload and optimizer, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.workload, run.spec.optimizer), []).append(run)
    summaries = []
    for (workload, optimizer), members in groups.items():
        target = workloads.load(workload).target
        members = comparable(members)
        lr = members[0].spec.hyperparameters["lr"]
        assert isinstance(lr, (int, float))
        summaries.append(
            Summary(workload, optimizer, lr, tuple(members), tuple(_target(run, target) for run in members))
        )
    return summaries


def _target(run: Run, target: float) -> Crossing:
    points = run.result.points
    return crossing([point.step for point in points], [point.train_loss for point in points], target)


def standings(summaries: Sequence[Summary]) -> dict[str, Standing]:
    """Places the optimizers of one workload by steps to the target.

    The leader has the least median. An optimizer whose band overlaps the leader's is tied with it, and then
    so is the leader; one whose band lies wholly after it is behind; one with an infinite median has missed.

    Args:
        summaries: one per optimizer, all of the same workload.
    """
    leader = min(summaries, key=lambda summary: (summary.first.median, summary.lasting.median))
    leading = [crossing.first for crossing in leader.crossings]
    places: dict[str, Standing] = {}
    for summary in summaries:
        if math.isinf(summary.first.median):
            places[summary.optimizer] = "missed"
        elif summary is not leader:
            own = [crossing.first for crossing in summary.crossings]
            places[summary.optimizer] = "behind" if fewer(leading, own) == "holds" else "tied"
    if math.isfinite(leader.first.median):
        places[leader.optimizer] = "tied" if "tied" in places.values() else "first"
    return places


def milestones(summary: Summary) -> list[int]:
    """The fixed steps at which a table shows the loss: a quarter of the budget, a half, and all of it."""
    steps, last = summary.steps, summary.steps[-1]
    return [max(step for step in steps if step <= last * share) for share in (0.25, 0.5, 1.0)]
