"""`adamas explore`: see how optimizers move."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adamas.lab.commands import options
from adamas.lab.explore.page import build
from adamas.lab.results import writable_folder, write_atomically


def explore(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the page.")] = Path("explore.html"),
    debug: options.Debug = False,
) -> None:
    """Write a page to play with: optimizers on surfaces of two parameters.

    Choose a surface, optimizers and their hyper-parameters, drag the start, and watch
    trajectories, moments and effective step sizes. The page computes with the rules of
    this library, and needs no network.

    [bold]Examples[/]

    [cyan]adamas explore[/]                        writes explore.html

    [cyan]adamas explore --out /tmp/optimizers.html[/]
    """
    writable_folder(out.absolute().parent, "--out")
    write_atomically(out, build())
    Console().print(f"Open [bold]{escape(str(out))}[/] in a browser.", soft_wrap=True)
