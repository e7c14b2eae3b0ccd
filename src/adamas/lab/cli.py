"""The command line: one function per command, and errors as one line and what to do.

A new command is a function that is registered here and raises `LabError` for what a person can put right.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from adamas.lab import optimizers, workloads
from adamas.lab.bench.command import bench
from adamas.lab.data.command import data_app
from adamas.lab.demo import demo as run_demo
from adamas.lab.errors import LabError, first_line
from adamas.lab.tune import tune as run_tune
from adamas.lab.workloads.command import list_workloads

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_DEBUG_KEY = "adamas.debug"


def _error(problem: str, remedy: str) -> None:
    message = f"[bold red]error:[/] {escape(problem)}\n[bold] help:[/] {escape(remedy)}"
    Console(stderr=True, soft_wrap=True, highlight=False).print(message)


class Commands(TyperGroup):
    """The group of commands; it turns exceptions into a line to read, unless `--debug` asks for more."""

    def invoke(self, ctx: typer.Context) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _error("stopped by Ctrl-C; finished runs are kept", "the same command again, it goes on from them")
            raise typer.Exit(INTERRUPTED) from None
        except LabError as error:
            if ctx.meta.get(_DEBUG_KEY):
                raise
            _error(error.problem, error.remedy)
            raise typer.Exit(1) from None
        except OSError as error:
            # A reader such as `head` that has had enough is no error.
            if ctx.meta.get(_DEBUG_KEY) or isinstance(error, BrokenPipeError):
                raise
            _error(first_line(error), "see that the file or folder is there and may be written, or use --debug")
            raise typer.Exit(1) from None


app = typer.Typer(cls=Commands, no_args_is_help=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


def _remember_debug(ctx: typer.Context, value: bool) -> bool:
    if value:
        ctx.meta[_DEBUG_KEY] = True
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
_ALL_OPTIMIZERS = ",".join(optimizers.CATALOGUE)
_OPTIMIZERS_HELP = f"With commas, out of {', '.join(optimizers.CATALOGUE)}."
WorkloadNames = Annotated[
    str,
    typer.Option("--workloads", help=f"With commas, out of {', '.join(workloads.WORKLOADS)}, or package.module:Class."),
]


def _names(text: str, option: str) -> list[str]:
    """Splits a comma-separated list; a name given twice counts once."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise LabError(f"{option} is empty", "give at least one name, several with commas")
    return names


@app.callback(invoke_without_command=True)
def _adamas(ctx: typer.Context, debug: Debug = False) -> None:
    """Adamas lab: train real models with any optimizer, compare honestly, report.

    Try [bold cyan]adamas demo[/] first: six optimizers on a CNN and an MLP, about a minute,
    one HTML report.
    """
    if ctx.invoked_subcommand is None:
        Console().print(ctx.get_help())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write the report.")] = Path("report.html"),
    workload_names: WorkloadNames = "cnn,mlp",
    optimizer_names: Annotated[
        str, typer.Option("--optimizers", help=_OPTIMIZERS_HELP)
    ] = "sgd,momentum,adagrad,rmsprop,adam,adamw",
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds: each gives every optimizer the same start.")] = 3,
    runs_dir: RunsDir = Path("runs"),
    workers: Workers = 2,
    fresh: Fresh = False,
    debug: Debug = False,
) -> None:
    """Compare six optimizers on real digits: a table and an offline report in a minute.

    Trains a CNN with batch norm and a two-layer MLP, from the same initial weights
    and with the same batches and dropout for every optimizer, at learning rates
    tuned with the same number of trials. Stop it with Ctrl-C and start it again:
    finished runs are kept.

    [bold]Examples[/]

    [cyan]adamas demo[/]                                        all of it

    [cyan]adamas demo --workloads mlp --optimizers sgd,adam[/]  a few seconds

    [cyan]adamas demo --seeds 10 --out ten.html[/]              sharper conclusions
    """
    run_demo(
        _names(workload_names, "--workloads"),
        _names(optimizer_names, "--optimizers"),
        seeds=seeds,
        out=out,
        runs_dir=runs_dir,
        workers=workers,
        fresh=fresh,
        console=Console(),
    )


@app.command()
def tune(
    workload: Annotated[str, typer.Argument(help="The workload to tune on, such as cnn.")],
    optimizer_names: Annotated[
        str, typer.Option("--optimizers", help=_OPTIMIZERS_HELP, show_default="all of them")
    ] = _ALL_OPTIMIZERS,
    trials: Annotated[int, typer.Option(min=3, help="Learning rates tried, the same number for every optimizer.")] = 9,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds per learning rate, none of them a seed of demo.")] = 3,
    runs_dir: RunsDir = Path("runs"),
    workers: Workers = 2,
    fresh: Fresh = False,
    debug: Debug = False,
) -> None:
    """Find every optimizer's learning rate with the same number of trials for each.

    Ends with the tuned learning rates, and with a target loss that tells the tuned
    optimizers apart, as the workload's file has them.

    [bold]Examples[/]

    [cyan]adamas tune mlp --optimizers sgd,adam --trials 5[/]  under a minute

    [cyan]adamas tune cnn[/]                                   how the lab's constants were made
    """
    run_tune(
        workload,
        _names(optimizer_names, "--optimizers"),
        trials=trials,
        seeds=seeds,
        runs_dir=runs_dir,
        workers=workers,
        fresh=fresh,
        console=Console(),
    )


app.command()(bench)
app.command("workloads")(list_workloads)
app.add_typer(data_app, name="data")
