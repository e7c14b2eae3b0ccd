"""The comparison in the terminal: a table for each workload, verdicts, and a profile over workloads."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adamas.lab import optimizers, text, workloads
from adamas.lab.analysis import Standing, Summary, Verdict, milestones, standings
from adamas.lab.claims import judge
from adamas.lab.profiles import profiles

_VERDICT_STYLES: dict[Verdict, str] = {"holds": "green", "does not hold": "red", "undecided": "yellow"}
_FACTORS = (1.0, 1.25, 1.5, 2.0, 4.0)
_STYLES: dict[Standing, str] = {"first": "bold green", "tied": "green", "behind": "", "missed": "red"}


def plain(title: str) -> Table:
    """An empty table in the lab's style."""
    return Table(
        title=escape(title),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,  # the box itself keeps columns apart; so 80 of the terminal are enough
        title_justify="left",
        title_style="bold",
    )


def comparison(summaries: Sequence[Summary]) -> Table:
    """Tabulates the optimizers of one workload, medians over seeds.

    Args:
        summaries: one per optimizer, all of the same workload.
    """
    workload, places = workloads.load(summaries[0].workload), standings(summaries)
    table = plain(f"{workload.title}: steps to train loss {workload.target:g}, median [range] over seeds")
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


def conclusions(summaries: Sequence[Summary], console: Console) -> None:
    """Prints the verdicts on claims, and with several workloads the performance profile over them."""
    judged = judge(summaries)
    if judged:
        console.print("[bold]Verdicts[/] (holds: the seed bands are apart; undecided: they overlap)")
    for entry in judged:
        verdicts = ", ".join(f"{escape(name)} [{_VERDICT_STYLES[it]}]{it}[/]" for name, it in entry.verdicts.items())
        console.print(f"  {escape(entry.claim.sentence)}: {verdicts}", highlight=False)
    if len({summary.workload for summary in summaries}) > 1:
        console.print(_profile(summaries))


def _profile(summaries: Sequence[Summary]) -> Table:
    found = profiles(summaries)
    count = len(found[0].ratios) if found else 0
    table = plain(f"Share of {count} workloads within a factor of the best steps to target")
    table.add_column("optimizer", no_wrap=True)
    for header in (*(f"{factor:g}x" for factor in _FACTORS), "score"):
        table.add_column(header, justify="right")
    for profile in found:
        shares = (f"{profile.share(factor):.0%}" for factor in _FACTORS)
        table.add_row(escape(optimizers.entry(profile.optimizer).label), *shares, f"{profile.score:.2f}")
    return table
