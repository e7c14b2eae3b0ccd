"""`adamas formats`: how much few-bit moments change the updates of a real training."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from adamas.lab import markdown
from adamas.lab.commands import options
from adamas.lab.compare import command_line, spec
from adamas.lab.errors import LabError
from adamas.lab.format_errors import FORMATS, WARMUP, Error, measure
from adamas.lab.results import writable_folder, write_atomically
from adamas.lab.tables import plain

_WORDS = """\
|u - u32| / |u32|, with u the update of Adam with moments in a format and u32 with float32 moments, averaged over the
steps of a training by AdamW in float32; in brackets the largest step of any element, in learning rates. The largest
matrices of each model."""


def formats(
    workload_names: Annotated[
        str, typer.Argument(metavar="WORKLOADS", help="What to train; several with commas.")
    ] = "chargpt",
    steps: Annotated[int, typer.Option(min=WARMUP + 1, help="Training steps.")] = 750,
    parameters: Annotated[int, typer.Option(min=1, help="How many of the largest matrices to watch.")] = 4,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A Markdown file for the tables.", show_default=False)] = None,
    debug: options.Debug = False,
) -> None:
    """Measure how far Adam's updates with few-bit moments are from those with float32 moments.

    The workload is trained by AdamW in float32; its gradients also go to Adam in every format, whose moments live on.
    Printed is |u - u32| / |u32|, averaged over steps, and the largest step of any element in learning rates.

    [bold]Examples[/]

    [cyan]adamas formats[/]

    [cyan]adamas formats cnn,mlp --steps 300 --out docs/formats/errors.md[/]
    """
    names = options.names(workload_names, "WORKLOADS")
    if out is not None:
        writable_folder(out.absolute().parent, "--out")
    measured = {name: _measured(name, steps, parameters, seed) for name in names}
    if out is not None:
        tables = [(f"{name}, {steps} steps", markdown.table(*_cells(found))) for name, found in measured.items()]
        words = ["formats", ",".join(names), "--steps", str(steps)]
        page = markdown.page("Errors of updates with few-bit moments", _WORDS, tables, command_line(words))
        write_atomically(out, page)


def _measured(workload: str, steps: int, parameters: int, seed: int) -> dict[str, dict[str, Error]]:
    wanted = spec(workload, "adamw", seed).model_copy(update={"steps": steps, "eval_every": steps})
    errors: dict[str, dict[str, Error]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{escape(workload)}", total=steps)
        for done, errors in measure(wanted, parameters):  # noqa: B007
            progress.update(task, completed=done)
    if not errors:
        raise LabError(f"{workload} has no matrix to watch", "choose another workload")
    Console().print(_table(workload, steps, errors))
    return errors


def _cells(errors: dict[str, dict[str, Error]]) -> tuple[list[str], list[list[str]]]:
    """Headers, and a row for every parameter."""
    rows = [
        [name, *(f"{each.relative:.3f} ({each.largest:.1f})" for each in by_format.values())]
        for name, by_format in errors.items()
    ]
    return ["parameter", *FORMATS], rows


def _table(workload: str, steps: int, errors: dict[str, dict[str, Error]]):
    table = plain(f"{workload}, {steps} steps: error of updates against float32 moments (largest step in lr)")
    headers, rows = _cells(errors)
    for at, header in enumerate(headers):
        table.add_column(header, justify="right" if at else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
