"""`adamas compare`: optimizers against each other, on any workloads."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adamas.lab import suites
from adamas.lab.commands import options
from adamas.lab.compare import command_line
from adamas.lab.compare import compare as run_compare
from adamas.lab.errors import LabError
from adamas.lab.trainer import Trainer


def compare(
    workload_names: Annotated[
        str | None, typer.Argument(metavar="WORKLOADS", help=options.WORKLOADS_HELP, show_default=False)
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help=f"A named list of workloads: {', '.join(suites.SUITES)}.", show_default=False)
    ] = None,
    optimizer_names: options.Optimizers = options.DEMO_OPTIMIZERS,
    seeds: options.Seeds = 3,
    out: options.Out = Path("report.html"),
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Compare optimizers: steps to the target, verdicts on claims, a report with curves.

    Every optimizer starts at the same weights and sees the same batches and the same
    dropout, seed by seed, at the learning rate tuned for the workload; the table says
    how many steps each takes to the workload's target, as median and range over
    seeds. With several workloads, a performance profile sums them up.

    [bold]Examples[/]

    [cyan]adamas compare mlp,cnn --optimizers adam,adamw,lion --seeds 5[/]

    [cyan]adamas compare --suite quick[/]                     a handful of workloads, under three minutes

    [cyan]adamas compare mlp --optimizers adamw,torch.optim:AdamW[/]  another package's optimizer beside ours

    [cyan]adamas compare my_package.my_module:MyWorkload[/]   your own model
    """
    workloads = _workloads(workload_names, suite)
    optimizers = options.optimizer_names(optimizer_names)
    chosen = ["--suite", suite] if suite is not None else [",".join(workloads)]
    words = ["compare", *chosen, "--optimizers", ",".join(optimizers), "--seeds", str(seeds)]
    run_compare(
        workloads,
        optimizers,
        seeds=seeds,
        out=out,
        runs_dir=runs_dir,
        trainer=Trainer(workers, fresh, cluster),
        command=command_line(words),
        console=Console(),
    )


def _workloads(names: str | None, suite: str | None) -> list[str]:
    if (names is None) == (suite is None):
        raise LabError("there must be either workloads or a --suite", "such as: adamas compare mlp,cnn")
    return list(suites.suite(suite)) if suite is not None else options.names(names or "", "WORKLOADS")
