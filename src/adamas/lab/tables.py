"""The comparison as a table in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from adamas.lab import optimizers, text, workloads
from adamas.lab.analysis import Standing, Summary, milestones, standings

_STYLES: dict[Standing, str] = {"first": "bold green", "tied": "green", "behind": "", "missed": "red"}


def comparison(summaries: Sequence[Summary]) -> Table:
    """Tabulates the optimizers of one workload, medians over seeds.

    Args:
        summaries: one per optimizer, all of the same workload.
    """
    workload, places = workloads.load(summaries[0].workload), standings(summaries)
    table = Table(
        title=escape(f"{workload.title}: steps to train loss {workload.target:g}, median [range] over seeds"),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,  # the box itself keeps columns apart; so 80 of the terminal are enough
        title_justify="left",
        title_style="bold",
    )
    table.add_column("optimizer", no_wrap=True)
    losses = [f"loss\n@ {step}" for step in milestones(summaries[0])]
    for header in (*losses, "steps to\ntarget", "for\ngood", "train", "optimizer\n/ step", "state"):
        table.add_column(header, justify="right", no_wrap=True)
    for summary in summaries:
        table.add_row(
            escape(optimizers.entry(summary.optimizer).label),
            *(text.loss(summary.loss_at(step).median) for step in milestones(summary)),
            text.steps(summary.first),
            text.significant(summary.lasting.median, 6),
            text.duration(summary.seconds.median),
            text.duration(summary.optimizer_step.median),
            text.size(summary.state_bytes),
            style=_STYLES[places[summary.optimizer]],
        )
    return table
