"""`adamas demo`: the first thing to try."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adamas.lab.commands import options
from adamas.lab.compare import command_line, compare
from adamas.lab.trainer import Trainer


def demo(
    out: options.Out = Path("report.html"),
    workload_names: Annotated[str, typer.Option("--workloads", help=options.WORKLOADS_HELP)] = "cnn,mlp",
    optimizer_names: options.Optimizers = options.DEMO_OPTIMIZERS,
    seeds: options.Seeds = 3,
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Compare six optimizers on real digits: a table and an offline report in a minute.

    Trains a CNN with batch norm and a two-layer MLP, from the same initial weights
    and with the same batches and dropout for every optimizer, at learning rates
    tuned with the same number of trials. Stop it with Ctrl-C and start it again:
    finished runs are kept, and those under way go on where they were.

    [bold]Examples[/]

    [cyan]adamas demo[/]                                        all of it

    [cyan]adamas demo --workloads mlp --optimizers sgd,adam[/]  a few seconds

    [cyan]adamas demo --seeds 10 --out ten.html[/]              sharper conclusions
    """
    workloads = options.names(workload_names, "--workloads")
    optimizers = options.optimizer_names(optimizer_names)
    words = ["demo", "--workloads", ",".join(workloads), "--optimizers", ",".join(optimizers), "--seeds", str(seeds)]
    compare(
        workloads,
        optimizers,
        seeds=seeds,
        out=out,
        runs_dir=runs_dir,
        trainer=Trainer(workers, fresh),
        command=command_line(words),
        console=Console(),
    )
