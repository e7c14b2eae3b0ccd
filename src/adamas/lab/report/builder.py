"""Builds the report: what the template shows, computed here, so that the template only lays out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from adamas.lab import optimizers, text, workloads
from adamas.lab.analysis import Standing, Summary, milestones, standings, summarize
from adamas.lab.claims import judge
from adamas.lab.environment import Environment
from adamas.lab.report import charts, palette
from adamas.lab.results import Run
from adamas.lab.workloads import Workload


@dataclass(frozen=True)
class Cell:
    """A table cell: what is shown, and the number that sorting goes by."""

    shown: str
    key: float


@dataclass(frozen=True)
class Row:
    """One optimizer in a summary table."""

    label: str
    colour: str
    standing: Standing
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Chart:
    """A figure with its caption."""

    heading: str
    figure: dict[str, Any]
    curves: bool


@dataclass(frozen=True)
class Section:
    """Everything about one workload."""

    name: str
    title: str
    facts: str
    finding: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    charts: tuple[Chart, ...]


def _columns(summary: Summary) -> tuple[str, ...]:
    losses = tuple(f"loss @ {step:,}" for step in milestones(summary))
    metric = f"test {workloads.load(summary.workload).metric_name}"
    return (
        *("steps to target", "for good", "seeds", "time to target"),
        *(*losses, metric, "training", "optimizer / step", "state", "learning rate"),
    )


def _cells(summary: Summary) -> tuple[Cell, ...]:
    metric, seconds, in_optimizer = summary.test_metric, summary.seconds, summary.optimizer_seconds
    share = in_optimizer.median / seconds.median
    return (
        Cell(text.steps(summary.first), summary.first.median),
        Cell(text.steps(summary.lasting), summary.lasting.median),
        Cell(f"{summary.reached}/{len(summary.runs)}", summary.reached),
        Cell(text.duration(summary.seconds_to_target.median), summary.seconds_to_target.median),
        *(Cell(text.loss(band.median), band.median) for band in map(summary.loss_at, milestones(summary))),
        Cell(f"{metric.median:.2%}", metric.median),
        Cell(text.duration(seconds.median), seconds.median),
        Cell(f"{text.duration(summary.optimizer_step.median)} ({share:.0%})", summary.optimizer_step.median),
        Cell(text.size(summary.state_bytes), summary.state_bytes),
        Cell(f"{summary.lr:g}", summary.lr),
    )


def _finding(summaries: Sequence[Summary], places: dict[str, Standing]) -> str:
    """The summary table in a sentence."""

    def named(place: Standing) -> str:
        labels = [optimizers.entry(s.optimizer).label for s in summaries if places[s.optimizer] == place]
        return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)

    best = min(summary.first.median for summary in summaries)
    parts = []
    if first := named("first"):
        parts.append(f"{first} is first, after {best:,.0f} steps, and no other seed band touches its own")
    if tied := named("tied"):
        parts.append(f"{tied} are tied for first: their seed bands overlap the leader's, which takes {best:,.0f} steps")
    if behind := named("behind"):
        parts.append(f"behind: {behind}")
    if missed := named("missed"):
        parts.append(f"target missed by {missed}")
    return "; ".join(parts) + "."


def _facts(workload: Workload, summaries: Sequence[Summary]) -> str:
    """What is the same for all optimizers, and whose learning rate nobody tuned."""
    facts = [
        f"{summaries[0].runs[0].result.parameters:,} parameters",
        f"{len(workload.data().train[0]):,} training examples",
        f"{workload.steps:,} steps of {workload.batch_size}",
        f"target: train loss {workload.target:g}",
    ]
    untuned = [s.optimizer for s in summaries if s.lr != workload.learning_rates.get(s.optimizer)]
    if untuned:
        labels = ", ".join(optimizers.entry(name).label for name in untuned)
        facts.append(f"learning rate not tuned for this workload: {labels}")
    return "; ".join(facts)


def _ranked(summaries: Sequence[Summary]) -> list[Summary]:
    return sorted(summaries, key=lambda s: (s.first.median, s.lasting.median, s.loss_at(s.steps[-1]).median))


def _section(name: str, summaries: Sequence[Summary]) -> Section:
    workload, ranked, places = workloads.load(name), _ranked(summaries), standings(summaries)
    return Section(
        name=name,
        title=workload.title,
        facts=_facts(workload, summaries),
        finding=_finding(ranked, places),
        columns=_columns(summaries[0]),
        rows=tuple(
            Row(
                optimizers.entry(s.optimizer).label,
                palette.colour(s.optimizer),
                places[s.optimizer],
                _cells(s),
            )
            for s in ranked
        ),
        charts=(
            Chart("Train loss", charts.loss_curves(summaries), curves=True),
            Chart(f"Test {workload.metric_name}", charts.metric_curves(summaries), curves=True),
            Chart("Steps to the target, one dot per seed", charts.target_dots(ranked), curves=False),
            Chart("Time in the optimizer", charts.optimizer_time(ranked), curves=False),
        ),
    )


def _environments(runs: Sequence[Run]) -> list[Environment]:
    """The distinct environments the runs were made in; more than one means timings that can't be compared."""
    return list({run.environment.model_dump_json(): run.environment for run in runs}.values())


def _legend(summaries: Sequence[Summary]) -> list[tuple[str, str, str]]:
    names = dict.fromkeys(summary.optimizer for summary in summaries)
    return [(name, optimizers.entry(name).label, palette.colour(name)) for name in names]


def build(runs: Sequence[Run], command: str) -> str:
    """Makes the report as one HTML document that loads nothing from anywhere.

    Args:
        runs: finished runs, of any workloads and optimizers.
        command: the command line that made them, shown so that it can be repeated.

    Returns:
        The document; about 5 MB, nearly all of it plotly.js.
    """
    summaries = summarize(runs)
    names = dict.fromkeys(summary.workload for summary in summaries)
    sections = [_section(name, [s for s in summaries if s.workload == name]) for name in names]
    templates = Templates(
        loader=PackageLoader("adamas.lab.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return templates.get_template("template.html.jinja").render(
        sections=sections,
        judged=judge(summaries),
        workload_names=list(names),
        legend=_legend(summaries),
        seeds=len({run.spec.seed for run in runs}),
        runs=runs,
        total_seconds=text.duration(math.fsum(run.result.points[-1].seconds for run in runs)),
        environments=_environments(runs),
        engines=sorted({run.spec.engine for run in runs}),
        command=command,
        plotly_js=get_plotlyjs(),
    )
