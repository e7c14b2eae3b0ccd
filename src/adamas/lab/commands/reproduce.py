"""`adamas reproduce`: figures of the papers made again, their claims judged; JSON and a page."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adamas.lab.analysis import Verdict
from adamas.lab.commands import options
from adamas.lab.compare import collect, command_line
from adamas.lab.reproduce import FIGURES, load
from adamas.lab.reproduce.evidence import Evidence, gather
from adamas.lab.reproduce.page import build
from adamas.lab.reproduce.runner import run
from adamas.lab.results import RunStore, writable_folder, write_atomically
from adamas.lab.trainer import Trainer

_STYLES: dict[Verdict, str] = {"holds": "green", "does not hold": "red", "undecided": "yellow"}


def reproduce(
    figures: Annotated[list[str], typer.Argument(help=f"Out of {', '.join(FIGURES)}, or all of them: all.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for a JSON file per figure and one page, index.html.")
    ] = Path("reproduced"),
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Make figures of the Adam and AdamW papers again, and judge what they claim.

    Every optimizer gets the same grid of learning rates, and the grid grows as long
    as the best of one is an edge of it. Each claim holds, does not hold, or is
    undecided because seeds disagree. Stop it with Ctrl-C and start it again:
    finished runs are kept.

    [bold]Examples[/]

    [cyan]adamas reproduce fig1a[/]       Adam, Nesterov, AdaGrad on a convex cost

    [cyan]adamas reproduce fig4 adamw[/]  bias correction; two kinds of decay

    [cyan]adamas reproduce all[/]         half an hour on two cores
    """
    console = Console()
    names = list(FIGURES) if figures == ["all"] else list(dict.fromkeys(figures))
    chosen = [load(name) for name in names]
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    writable_folder(out, "--out")
    made: list[Evidence] = []
    with Trainer(workers, fresh, cluster) as trainer:
        for figure in chosen:
            outcome = run(figure, lambda specs: collect(specs, store, trainer))
            evidence = gather(figure, outcome, command_line(["reproduce", figure.name]))
            write_atomically(out / f"{figure.name}.json", evidence.model_dump_json(indent=1) + "\n")
            console.print(_table(evidence))
            made.append(evidence)
    page = out / "index.html"
    write_atomically(page, build(made, command_line(["reproduce", *figures])))
    console.print(f"{sum(each.runs for each in made):,} runs. Page: [bold]{escape(str(page))}[/]")


def _table(evidence: Evidence) -> Table:
    table = Table(
        title=escape(f"{evidence.figure}: {evidence.title}"),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        title_justify="left",
        title_style="bold",
    )
    for header in ("claim", "verdict", "numbers: median (range) over seeds"):
        table.add_column(header)
    for each in evidence.judged:
        table.add_row(escape(each.claim), f"[{_STYLES[each.verdict]}]{each.verdict}[/]", escape(each.reading))
    return table
