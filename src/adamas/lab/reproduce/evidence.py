"""What a reproduced figure leaves behind: verdicts, numbers and how they came about, as one JSON file."""

import math
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from adamas.lab import workloads
from adamas.lab.analysis import Verdict
from adamas.lab.environment import Environment
from adamas.lab.reproduce.claims import average_cost, cost_at
from adamas.lab.reproduce.figure import Figure, Outcome, Show
from adamas.lab.results import Run

# A cost that diverged is a number too, and JSON has no word for it.
_FROZEN = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Judged(BaseModel):
    """A claim with its verdict.

    Args:
        claim: the claim in words.
        verdict: whether it holds.
        reading: the numbers behind it in words.
        numbers: the same for every seed.
    """

    model_config = _FROZEN

    claim: str
    verdict: Verdict
    reading: str
    numbers: dict[str, tuple[float, ...]]


class Curve(BaseModel):
    """An arm at its best learning rate.

    Args:
        arm: its name.
        label: what the page calls it.
        optimizer: the optimizer, for its colour.
        hyperparameters: all of them, as `name=value`.
        rate: the learning rate, the best of the grid.
        edge: whether that is an edge of the grid, which then was widened as often as is allowed.
        steps: steps of the evaluations.
        costs: train loss at each of them, a row for every seed.
        metrics: test metric likewise.
    """

    model_config = _FROZEN

    arm: str
    label: str
    optimizer: str
    hyperparameters: str
    rate: float
    edge: bool
    steps: tuple[int, ...]
    costs: tuple[tuple[float, ...], ...]
    metrics: tuple[tuple[float, ...], ...]


class Cell(BaseModel):
    """An arm at one learning rate of the grid.

    Args:
        arm: its name.
        label: what the page calls it.
        panel: the part of the figure it belongs to.
        rate: the learning rate.
        average: average cost of every seed; infinite where it diverged.
        early: cost after a tenth of the run.
        last: cost at the end.
        metric: test metric at the end; 0 where it diverged.
        diverged: number of seeds that diverged.
    """

    model_config = _FROZEN

    arm: str
    label: str
    panel: str
    rate: float
    average: tuple[float, ...]
    early: tuple[float, ...]
    last: tuple[float, ...]
    metric: tuple[float, ...]
    diverged: int


class Evidence(BaseModel):
    """A reproduced figure.

    Args:
        figure: its name.
        title: one line.
        source: the paper and its figure.
        shows: what the paper's figure shows.
        show: how the page draws it.
        workload: the workload's title.
        workload_digest: of its source.
        metric: what its test metric is.
        batch_size: examples per step.
        steps: steps of every run.
        epochs: passes over the training data.
        seeds: seeds that were judged.
        search_seeds: other seeds, on which learning rates were chosen; none if the whole grid was judged.
        rates: learning rates of every arm.
        widened: how many of them were added because the best of an arm was an edge.
        judged: the claims.
        curves: every arm at its best learning rate.
        grid: every arm at every learning rate.
        deviations: everything that differs from the paper.
        untrained: cost of the untrained model, of every seed of the grid.
        command: what makes the same numbers again.
        runs: number of training runs.
        cpu_seconds: processor time of all training steps.
        environments: where the runs ran.
        engines: engines that stepped what they can; rules that only these figures need run on the reference.
    """

    model_config = _FROZEN

    figure: str
    title: str
    source: str
    shows: str
    show: Show
    workload: str
    workload_digest: str
    metric: str
    batch_size: int
    steps: int
    epochs: int
    seeds: int
    search_seeds: int
    rates: tuple[float, ...]
    widened: int
    judged: tuple[Judged, ...]
    curves: tuple[Curve, ...]
    grid: tuple[Cell, ...]
    deviations: tuple[str, ...]
    untrained: tuple[float, ...]
    command: str
    runs: int
    cpu_seconds: float
    environments: tuple[Environment, ...]
    engines: tuple[str, ...]


def _padded(values: Sequence[float], count: int, filler: float) -> tuple[float, ...]:
    """What a run that diverged early would have gone on with, to five digits."""
    rounded = [float(f"{value:.5g}") if math.isfinite(value) else filler for value in values]
    return (*rounded, *[filler] * (count - len(rounded)))


def _numbers(measure: Callable[[Run], float], runs: Iterable[Run]) -> tuple[float, ...]:
    return tuple(float(f"{measure(run):.5g}") for run in runs)


def _curves(figure: Figure, outcome: Outcome) -> tuple[Curve, ...]:
    curves = []
    for arm in figure.arms:
        trained = outcome.best[arm.name]
        longest = max((run.result.points for run in trained.runs), key=len)
        count = len(longest)
        points = [run.result.points for run in trained.runs]
        curves.append(
            Curve(
                arm=arm.name,
                label=arm.label,
                optimizer=arm.optimizer,
                hyperparameters=", ".join(f"{key}={value}" for key, value in arm.hyperparameters(trained.rate).items()),
                rate=trained.rate,
                edge=trained.rate in (outcome.rates[0], outcome.rates[-1]),
                steps=tuple(point.step for point in longest),
                costs=tuple(_padded([point.train_loss for point in each], count, math.inf) for each in points),
                metrics=tuple(_padded([point.test_metric for point in each], count, 0.0) for each in points),
            )
        )
    return tuple(curves)


def last_metric(run: Run) -> float:
    """The test metric at the end; 0 if the run diverged."""
    return 0.0 if run.result.diverged else run.result.points[-1].test_metric


def _grid(figure: Figure, outcome: Outcome) -> tuple[Cell, ...]:
    cells = []
    for arm in figure.arms:
        for rate in outcome.rates:
            runs = outcome.grid[arm.name, rate]
            cells.append(
                Cell(
                    arm=arm.name,
                    label=arm.label,
                    panel=arm.panel,
                    rate=rate,
                    average=_numbers(average_cost, runs),
                    early=_numbers(cost_at(0.1), runs),
                    last=_numbers(cost_at(1.0), runs),
                    metric=_numbers(last_metric, runs),
                    diverged=sum(run.result.diverged for run in runs),
                )
            )
    return tuple(cells)


def _all_runs(figure: Figure, outcome: Outcome) -> list[Run]:
    runs = [run for cell in outcome.grid.values() for run in cell]
    return runs if figure.whole_grid else runs + [run for trained in outcome.best.values() for run in trained.runs]


def gather(figure: Figure, outcome: Outcome, command: str) -> Evidence:
    """Judges a figure's claims and puts everything together that a reader needs to check them."""
    workload, runs = workloads.load(figure.workload), _all_runs(figure, outcome)
    judgements = [(claim.sentence, claim.judge(outcome)) for claim in figure.claims]
    first = outcome.grid[figure.arms[0].name, outcome.rates[0]]
    return Evidence(
        figure=figure.name,
        title=figure.title,
        source=figure.source,
        shows=figure.shows,
        show=figure.show,
        workload=workload.title,
        workload_digest=workloads.digest(figure.workload),
        metric=workload.metric_name,
        batch_size=figure.batch_size,
        steps=figure.steps,
        epochs=figure.epochs,
        seeds=figure.seeds,
        search_seeds=0 if figure.whole_grid else figure.search_seeds,
        rates=outcome.rates,
        widened=len(outcome.rates) - len(figure.rates),
        judged=tuple(
            Judged(claim=sentence, verdict=each.verdict, reading=each.reading, numbers=dict(each.numbers))
            for sentence, each in judgements
        ),
        curves=_curves(figure, outcome),
        grid=_grid(figure, outcome),
        deviations=figure.deviations,
        untrained=tuple(run.result.points[0].train_loss for run in first),
        command=command,
        runs=len(runs),
        cpu_seconds=round(math.fsum(run.result.points[-1].cpu_seconds for run in runs), 1),
        environments=tuple({run.environment.model_dump_json(): run.environment for run in runs}.values()),
        engines=tuple(sorted({run.spec.engine for run in runs})),
    )
