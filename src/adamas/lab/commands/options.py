"""Options that several commands share, and reading lists of names."""

import re
from pathlib import Path
from typing import Annotated

import typer

from adamas.lab import optimizers, workloads
from adamas.lab.errors import LabError

DEBUG_KEY = "adamas.debug"
DEMO_OPTIMIZERS = "sgd,momentum,adagrad,rmsprop,adam,adamw"
ALL_OPTIMIZERS = ",".join(optimizers.CATALOGUE)

_COMMA = re.compile(r",(?![^(\[]*[)\]])")


def _remember_debug(ctx: typer.Context, value: bool) -> bool:
    if value:
        ctx.meta[DEBUG_KEY] = True
    return value


Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", callback=_remember_debug, is_eager=True),
]
RunsDir = Annotated[
    Path,
    typer.Option(help="Folder of finished runs; what is there is not trained again.", rich_help_panel="Runs"),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that train, one thread each.", rich_help_panel="Runs")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train everything again.", rich_help_panel="Runs")]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="tcp://HOST:PORT",
        help="A Dask scheduler whose workers train, instead of this machine.",
        show_default=False,
        rich_help_panel="Runs",
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="Paired seeds: each gives every optimizer the same start.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write the report.")]
Optimizers = Annotated[
    str,
    typer.Option(
        "--optimizers",
        help=f"With commas, out of {', '.join(optimizers.CATALOGUE)}, or another's as package.module:Class?key=value.",
    ),
]
WorkloadArgument = Annotated[str, typer.Argument(metavar="WORKLOAD", help="Such as mlp, or package.module:Class.")]
WORKLOADS_HELP = f"With commas, out of {', '.join(workloads.WORKLOADS)}, or package.module:Class."


def names(text: str, option: str) -> list[str]:
    """Splits a comma-separated list; a name given twice counts once, a comma in brackets splits nothing.

    Example:
        >>> names("adam, torch.optim:Adam?betas=(0.8,0.9),adam", "--optimizers")
        ['adam', 'torch.optim:Adam?betas=(0.8,0.9)']
    """
    found = list(dict.fromkeys(name.strip() for name in _COMMA.split(text) if name.strip()))
    if not found:
        raise LabError(f"{option} is empty", "give at least one name, several with commas")
    return found


def optimizer_names(text: str) -> list[str]:
    """Splits a list of optimizers and sees that each of them can be made."""
    found = names(text, "--optimizers")
    for name in found:
        optimizers.check(name, optimizers.hyperparameters(name))
    return found
