"""`adamas workloads`: which there are, and what one of them is."""

import inspect
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adamas.lab import workloads
from adamas.lab.errors import LabError


def list_workloads(
    name: Annotated[str, typer.Argument(help="Describe this one: a name, name@variant or package.module:Class.")] = "",
) -> None:
    """List the workloads, or describe one: data, model, budget, target, variants.

    [bold]Examples[/]

    [cyan]adamas workloads[/]             all of them

    [cyan]adamas workloads mlp@gelu[/]    one variant: its data, parameters and learning rates
    """
    Console().print(describe(name) if name else listing())


def listing() -> Table:
    """All workloads of the lab with their variants, a line each."""
    table = Table("name", "what", "variants: the first is the default", box=None, header_style="bold")
    for name in workloads.WORKLOADS:
        try:
            workload = workloads.load(name)
        except LabError as error:
            # One whose library is missing must not hide the others.
            table.add_row(name, f"[red]{escape(str(error))}[/]", "")
            continue
        table.add_row(name, escape(workload.title), escape(", ".join(workload.variants)))
    return table


def describe(name: str) -> Table:
    """All there is to say about one workload.

    Raises:
        LabError: there is no such workload, or its data is not here.
    """
    workload = workloads.load(name)
    data = workload.data()
    shape = " x ".join(map(str, data.train[0].shape[1:])) or "1"
    model = workload.model()
    trained = sum(parameter.numel() for parameter in workload.trainable(model))
    total = sum(parameter.numel() for parameter in model.parameters())
    rates = ", ".join(f"{optimizer} {rate:g}" for optimizer, rate in workload.learning_rates.items())
    rows = {
        "what": workload.title,
        "about": inspect.cleandoc(type(workload).__doc__ or "").partition("\n\n")[0],
        "data": f"{len(data.train[0]):,} to train on, {len(data.test[0]):,} to test with, of {shape} numbers each",
        "model": f"{total:,} parameters" + (f", {trained:,} of them trained" if trained != total else ""),
        "budget": f"{workload.steps:,} steps of {workload.batch_size}, evaluated every {workload.eval_every}",
        "target": f"train loss {workload.target:g}; metric: {workload.metric_name}",
        "learning rates": rates or "the optimizers' defaults: none is tuned for it",
        "variants": ", ".join(workload.variants) or "none",
    }
    table = Table(show_header=False, box=None)
    for key, value in rows.items():
        table.add_row(f"[bold]{key}[/]", escape(value))
    return table
