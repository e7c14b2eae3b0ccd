"""`adamas formats`: how much few-bit moments change the updates of a real training."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from adamas.lab.commands import options
from adamas.lab.compare import spec
from adamas.lab.errors import LabError
from adamas.lab.format_errors import FORMATS, WARMUP, Error, measure
from adamas.lab.tables import plain


def formats(
    workload: Annotated[str, typer.Argument(help="What to train.")] = "chargpt",
    steps: Annotated[int, typer.Option(min=WARMUP + 1, help="Training steps.")] = 750,
    parameters: Annotated[int, typer.Option(min=1, help="How many of the largest matrices to watch.")] = 4,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    debug: options.Debug = False,
) -> None:
    """Measure how far Adam's updates with few-bit moments are from those with float32 moments.

    The workload is trained by AdamW in float32; its gradients also go to Adam in every format, whose moments live on.
    Printed is |u - u32| / |u32|, averaged over steps, and the largest step of any element in learning rates.

    [bold]Examples[/]

    [cyan]adamas formats[/]

    [cyan]adamas formats cnn --steps 300[/]
    """
    wanted = spec(workload, "adamw", seed).model_copy(update={"steps": steps, "eval_every": steps})
    errors: dict[str, dict[str, Error]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{escape(workload)}", total=steps)
        for done, errors in measure(wanted, parameters):  # noqa: B007
            progress.update(task, completed=done)
    if not errors:
        raise LabError(f"{workload} has no matrix to watch", "choose another workload")
    Console().print(_table(workload, steps, errors))


def _table(workload: str, steps: int, errors: dict[str, dict[str, Error]]):
    table = plain(f"{workload}, {steps} steps: error of updates against float32 moments (largest step in lr)")
    table.add_column("parameter")
    for form in FORMATS:
        table.add_column(form, justify="right")
    for name, by_format in errors.items():
        table.add_row(escape(name), *(f"{each.relative:.3f} ({each.largest:.1f})" for each in by_format.values()))
    return table
