"""`adamas report`: one offline page out of a folder of runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adamas.lab.commands import options
from adamas.lab.compare import command_line
from adamas.lab.errors import LabError
from adamas.lab.report.builder import build
from adamas.lab.results import RunStore, writable_folder, write_atomically


def report(
    runs_dir: Annotated[Path, typer.Argument(metavar="RUNS_DIR", help="Folder of finished runs.")] = Path("runs"),
    out: options.Out = Path("report.html"),
    debug: options.Debug = False,
) -> None:
    """Write a report over every finished run in a folder, whatever command made them.

    [bold]Examples[/]

    [cyan]adamas report runs -o report.html[/]
    """
    if not runs_dir.is_dir():
        raise LabError(f"there is no folder {str(runs_dir)!r}", "name the --runs-dir of an earlier command")
    runs = RunStore(runs_dir).all()
    if not runs:
        raise LabError(f"{str(runs_dir)!r} holds no finished run", "train some first: adamas compare mlp")
    writable_folder(out.absolute().parent, "--out")
    write_atomically(out, build(runs, command_line(["report", str(runs_dir)])))
    Console().print(f"{len(runs)} runs. Report: [bold]{escape(str(out))}[/]")
