"""The command line: the app, its commands, and errors as one line and what to do.

A new command is a file in `commands` and a line here; it raises `LabError` for what a person can put right.
"""

from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from adamas.lab.bench.command import bench
from adamas.lab.commands.batch import batch
from adamas.lab.commands.calibrate import calibrate
from adamas.lab.commands.compare import compare
from adamas.lab.commands.demo import demo
from adamas.lab.commands.doctor import doctor
from adamas.lab.commands.explore import explore
from adamas.lab.commands.few_bits import few_bits
from adamas.lab.commands.formats import formats
from adamas.lab.commands.memory import memory
from adamas.lab.commands.options import DEBUG_KEY, Debug
from adamas.lab.commands.report import report
from adamas.lab.commands.reproduce import reproduce
from adamas.lab.commands.run import run
from adamas.lab.commands.tune import tune
from adamas.lab.data.command import data_app
from adamas.lab.errors import LabError, first_line
from adamas.lab.workloads.command import list_workloads

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


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
            _error(
                "stopped by Ctrl-C; finished runs are kept, and how far the others were",
                "the same command again, it goes on from them",
            )
            raise typer.Exit(INTERRUPTED) from None
        except LabError as error:
            if ctx.meta.get(DEBUG_KEY):
                raise
            _error(error.problem, error.remedy)
            raise typer.Exit(1) from None
        except OSError as error:
            # A reader such as `head` that has had enough is no error.
            if ctx.meta.get(DEBUG_KEY) or isinstance(error, BrokenPipeError):
                raise
            _error(first_line(error), "see that the file or folder is there and may be written, or use --debug")
            raise typer.Exit(1) from None


app = typer.Typer(cls=Commands, no_args_is_help=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def _adamas(ctx: typer.Context, debug: Debug = False) -> None:
    """Adamas lab: train real models with any optimizer, compare honestly, report.

    Try [bold cyan]adamas demo[/] first: six optimizers on a CNN and an MLP, about a minute,
    one HTML report. Then [bold cyan]adamas run mlp --optimizer adam[/] for one training, and
    [bold cyan]adamas compare my_package.my_module:MyWorkload[/] for a model of your own.
    """
    if ctx.invoked_subcommand is None:
        Console().print(ctx.get_help())


_COMMANDS = (
    demo,
    run,
    compare,
    calibrate,
    tune,
    batch,
    reproduce,
    report,
    bench,
    memory,
    formats,
    few_bits,
    doctor,
    explore,
)
for _command in _COMMANDS:
    app.command()(_command)
app.command("workloads")(list_workloads)
app.add_typer(data_app, name="data")
