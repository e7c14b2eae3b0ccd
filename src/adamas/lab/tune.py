"""Searching learning rates, with the same number of trials for every optimizer.

The search first tries five rates, half a decade apart, around the optimizer's default. Each further trial
goes where the best so far points: past the edge if the best is an edge of what was tried, else into the wider
of the two gaps beside it. A rate is scored by the mean logarithm of its train loss over all evaluations,
median over seeds: no target is needed, and both a fast start and a low end count.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from rich.console import Console
from rich.markup import escape

from adamas.lab import optimizers
from adamas.lab.analysis import Band
from adamas.lab.compare import collect, spec
from adamas.lab.results import Run, RunStore, writable_folder

FIRST_SEED = 1000
"""Seeds of the search start here: no learning rate is judged on the seeds it was chosen with."""

_OPENING = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Decades from the default learning rate."""

Scores = dict[float, float]
"""Score by learning rate; lower is better."""


def score(run: Run) -> float:
    """Mean natural logarithm of the train loss over the evaluations; infinite if the run diverged."""
    if run.result.diverged:
        return math.inf
    # A loss of exactly zero is possible in float32 and would outweigh everything else.
    return fmean(math.log(max(point.train_loss, 1e-8)) for point in run.result.points)


def next_rate(scores: Mapping[float, float]) -> float:
    """The learning rate to try next.

    Example:
        >>> next_rate({0.01: 3.0, 0.1: 2.0, 1.0: 1.0})      # the best is the largest: go on
        10.0
        >>> next_rate({0.01: 3.0, 0.1: 1.0, 1.0: 2.0})      # both gaps are equally wide: to the better side
        0.32
        >>> next_rate({0.01: 3.0, 0.1: 1.0, 0.32: 2.0, 1.0: 2.5})
        0.032
    """
    rates = sorted(scores)
    best = rates.index(min(rates, key=lambda rate: scores[rate]))
    if best == 0:
        rate = rates[0] ** 2 / rates[1]
    elif best == len(rates) - 1:
        rate = rates[-1] ** 2 / rates[-2]
    else:
        neighbours = (rates[best - 1], rates[best + 1])
        rate = math.sqrt(rates[best] * max(neighbours, key=lambda rate: (_gap(rate, rates[best]), -scores[rate])))
    return rate if _rounded(rate) in scores else _rounded(rate)


def _gap(rate: float, other: float) -> float:
    """Decades between two rates, to a digit, so that rounded rates don't make equal gaps look different."""
    return round(abs(math.log10(rate / other)), 1)


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")


def search(
    names: Sequence[str], trials: int, evaluate: Callable[[list[tuple[str, float]]], list[float]]
) -> dict[str, Scores]:
    """Searches every optimizer's learning rate.

    Args:
        names: optimizers.
        trials: learning rates to try for each of them.
        evaluate: scores (optimizer, rate) pairs, given one round of them at a time.

    Returns:
        For each optimizer, the score of every rate tried; exactly `trials` of them.
    """
    half = len(_OPENING) // 2
    decades = _OPENING if trials >= len(_OPENING) else _OPENING[half - 1 : half + 2]
    tried: dict[str, Scores] = {name: {} for name in names}
    pairs = [(name, _rounded(optimizers.entry(name).lr * 10**decade)) for name in names for decade in decades]
    while pairs:
        for (name, rate), value in zip(pairs, evaluate(pairs), strict=True):
            tried[name][rate] = value
        pairs = [(name, next_rate(scores)) for name, scores in tried.items() if len(scores) < trials]
    return tried


def calibrated_target(best: Mapping[str, Sequence[Run]]) -> float:
    """A target that tells tuned optimizers apart: half of them are there by half of the budget.

    It is the median over optimizers of the loss at half of the steps, itself a median over seeds, to two
    digits. Later losses would be missed by most, earlier ones are reached by all within an evaluation or two.

    Args:
        best: runs by optimizer, at its best learning rate.
    """
    halves = []
    for runs in best.values():
        middles = [run.result.points[len(run.result.points) // 2].train_loss for run in runs]
        halves.append(Band.over(middles).median)
    return _rounded(median(halves))


def tune(
    workload: str,
    names: Sequence[str],
    *,
    trials: int,
    seeds: int,
    runs_dir: Path,
    workers: int,
    fresh: bool,
    console: Console,
) -> None:
    """Searches the learning rate of every optimizer on a workload and prints what was found.

    Args:
        workload: name of the workload.
        names: optimizers.
        trials: learning rates to try for each of them.
        seeds: seeds per learning rate.
        runs_dir: folder of finished runs.
        workers: processes to train with.
        fresh: train again what is already there.
        console: where to print.
    """
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    finished: dict[tuple[str, float], list[Run]] = {}

    def evaluate(pairs: list[tuple[str, float]]) -> list[float]:
        specs = [spec(workload, name, FIRST_SEED + seed, rate) for name, rate in pairs for seed in range(seeds)]
        runs = collect(specs, store, workers, fresh)
        for at, pair in enumerate(pairs):
            finished[pair] = runs[at * seeds : (at + 1) * seeds]
        return [median(score(run) for run in finished[pair]) for pair in pairs]

    tried = search(names, trials, evaluate)
    best = {name: min(scores, key=lambda rate: scores[rate]) for name, scores in tried.items()}
    for name, scores in tried.items():
        line = "  ".join(f"{rate:g}: {scores[rate]:.2f}{' *' if rate == best[name] else ''}" for rate in sorted(scores))
        console.print(escape(f"{name:9} {line}"), soft_wrap=True)
    console.print(f"learning_rates = {best}", soft_wrap=True)
    console.print(f"target = {calibrated_target({name: finished[name, best[name]] for name in names}):g}")
