"""The summary of one workload: its table, its finding in a sentence, what is the same for all; and the list of runs."""

from collections.abc import Mapping, Sequence

from adamas.lab import optimizers, text
from adamas.lab.analysis import Standing, Summary, milestones
from adamas.lab.report import palette
from adamas.lab.report.page import Cell, Table
from adamas.lab.results import Run
from adamas.lab.workloads import Workload


def _columns(workload: Workload, summary: Summary) -> tuple[str, ...]:
    losses = tuple(f"loss @ {step:,}" for step in milestones(summary))
    return (
        *("optimizer", "standing", "steps to target", "for good", "seeds", "time to target"),
        *(*losses, f"test {workload.metric_name}", "training", "optimizer / step", "state", "learning rate"),
    )


def _cells(workload: Workload, summary: Summary) -> tuple[Cell, ...]:
    metric, seconds, in_optimizer = summary.test_metric, summary.seconds, summary.optimizer_seconds
    share = in_optimizer.median / seconds.median
    return (
        Cell(text.steps(summary.first), summary.first.median),
        Cell(text.steps(summary.lasting), summary.lasting.median),
        Cell(f"{summary.reached}/{len(summary.runs)}", summary.reached),
        Cell(text.duration(summary.seconds_to_target.median), summary.seconds_to_target.median),
        *(Cell(text.loss(band.median), band.median) for band in map(summary.loss_at, milestones(summary))),
        Cell(format(metric.median, workload.metric_format), metric.median),
        Cell(text.duration(seconds.median), seconds.median),
        Cell(f"{text.duration(summary.optimizer_step.median)} ({share:.0%})", summary.optimizer_step.median),
        Cell(text.size(summary.state_bytes), summary.state_bytes),
        Cell(f"{summary.lr:g}", summary.lr),
    )


def table(workload: Workload, ranked: Sequence[Summary], places: Mapping[str, Standing]) -> Table:
    """All optimizers of a workload, the best first."""
    rows = tuple(
        (
            Cell(optimizers.entry(each.optimizer).label, colour=palette.colour(each.optimizer)),
            Cell(places[each.optimizer], place, mark=places[each.optimizer]),
            *_cells(workload, each),
        )
        for place, each in enumerate(ranked)
    )
    return Table(f"Summary of {workload.title}", _columns(workload, ranked[0]), rows, words=2)


def finding(ranked: Sequence[Summary], places: Mapping[str, Standing]) -> str:
    """The table in a sentence."""

    def named(place: Standing) -> str:
        labels = [optimizers.entry(s.optimizer).label for s in ranked if places[s.optimizer] == place]
        return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)

    best = ranked[0].first.median
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


def facts(workload: Workload, summaries: Sequence[Summary]) -> str:
    """What is the same for all optimizers, and whose learning rate nobody tuned."""
    spec = summaries[0].runs[0].spec
    said = [
        f"{summaries[0].runs[0].result.parameters:,} parameters",
        f"{len(workload.data().train[0]):,} training examples",
        f"{spec.steps:,} steps of {spec.batch_size}",
        f"target: train loss {workload.target:g}",
    ]
    untuned = [s.optimizer for s in summaries if s.lr != workload.learning_rates.get(s.optimizer)]
    if untuned:
        labels = ", ".join(optimizers.entry(name).label for name in untuned)
        said.append(f"learning rate not tuned for this workload: {labels}")
    return "; ".join(said)


def listing(runs: Sequence[Run]) -> Table:
    """Every run with its settings, its end and its cost."""
    rows = []
    for run in runs:
        last = run.result.points[-1]
        settings = ", ".join(f"{name}={value}" for name, value in run.spec.hyperparameters.items())
        rows.append(
            (
                Cell(run.spec.run_id),
                Cell(settings),
                Cell(f"{last.train_loss:.4g}", last.train_loss),
                Cell(f"{last.examples:,}", last.examples),
                Cell(f"{last.seconds:.2f}", last.seconds),
                Cell(f"{last.cpu_seconds:.2f}", last.cpu_seconds),
            )
        )
    columns = ("run", "hyper-parameters", "final loss", "examples", "wall s", "CPU s")
    return Table(f"All {len(runs)} runs", columns, tuple(rows), words=2)
