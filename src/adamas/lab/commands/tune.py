"""`adamas tune`: hyper-parameters for every optimizer, with the same number of trials for each."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adamas.lab import workloads
from adamas.lab.commands import options
from adamas.lab.errors import LabError
from adamas.lab.spaces import PRESETS
from adamas.lab.trainer import Trainer


def tune(
    workload: options.WorkloadArgument,
    optimizer_names: options.Optimizers = options.ALL_OPTIMIZERS,
    budget: Annotated[int, typer.Option(min=3, help="Trials, the same number for every optimizer.")] = 9,
    space: Annotated[
        str, typer.Option(help=f"What to search: {', '.join(PRESETS)} (AlgoPerf's for AdamW, all trials random).")
    ] = "budget",
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="postgresql://...",
            help="A database for the trials, shared by several machines; without it a file in --runs-dir.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds per trial, none of them a seed of compare.")] = 3,
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Tune every optimizer with the same number of trials; what is searched follows the budget.

    Under 10 trials only the learning rate is searched; from 10 on also beta1 or
    momentum, from 25 on eps and weight decay, from 100 on beta2. Learning rates leave
    the range they began with when the best of them sits at its end.

    [bold]Examples[/]

    [cyan]adamas tune mlp --optimizers sgd,adam --budget 5[/]   under a minute

    [cyan]adamas tune cnn[/]                                    how the lab's learning rates were made

    [cyan]adamas tune mlp --optimizers adamw --budget 40 --storage postgresql://lab@db/studies[/]
    """
    # SciPy's and Optuna's imports take a second, which the other commands need not wait for.
    from adamas.lab.tuning import Search, tune_rates, tune_space

    workloads.load(workload)
    optimizers = options.optimizer_names(optimizer_names)
    if fresh and storage is not None:
        raise LabError("--fresh would not remove the trials in --storage", "leave one of them out")
    with Trainer(workers, fresh, cluster) as trainer:
        search = Search(workload, optimizers, budget, seeds, runs_dir, trainer)
        if space == "budget" and storage is None and search.rates_only:
            tune_rates(search, Console())
        else:
            tune_space(search, space, storage, Console())
