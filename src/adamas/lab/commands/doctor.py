"""`adamas doctor`: what is wrong with a run, and what to change."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from adamas.lab.commands import options
from adamas.lab.diagnosis import examine, repeats
from adamas.lab.errors import LabError
from adamas.lab.report.doctor import noise, sentence
from adamas.lab.results import Run, RunStore

EVERY = 16
"""Steps between two looks."""


def doctor(
    run: Annotated[str, typer.Argument(metavar="RUN", help="File of a finished run, or how its name begins.")],
    every: Annotated[int, typer.Option(min=1, help="Steps between two looks.")] = EVERY,
    runs_dir: options.RunsDir = Path("runs"),
    debug: options.Debug = False,
) -> None:
    """Look at what the optimizer does in a run: what is wrong, where, by how much, and what to change.

    The run is trained again with the doctor, with the same bits, and what was seen is kept with it:
    [cyan]adamas report[/] then shows it as heat maps.

    [bold]Examples[/]

    [cyan]adamas doctor runs/mlp-adam-seed0-0123456789ab.json[/]

    [cyan]adamas doctor mlp-adam --every 4[/]
    """
    path = _file(run, runs_dir)
    try:
        found = Run.model_validate_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValidationError) as error:
        raise LabError(f"{str(path)!r} is no run of the lab", "name one that adamas run has kept") from error
    attend(found, RunStore(path.parent), every, Console())


def attend(run: Run, store: RunStore, every: int, console: Console) -> None:
    """Shows what the doctor says of a run; if none has looked at it at this interval, it is trained again.

    Args:
        run: a finished one.
        store: where it is kept.
        every: steps between two looks.
        console: where to print.
    """
    diagnosis = run.result.diagnosis
    if diagnosis is None or diagnosis.every != every:
        result = examine(run.spec, every)
        diagnosis = result.diagnosis
        assert diagnosis is not None
        if repeats(run, result):
            store.save(run.model_copy(update={"result": run.result.model_copy(update={"diagnosis": diagnosis})}))
        else:
            console.print("This machine trains the run with other bits: what follows is not kept with it.")
    for found in diagnosis.findings:
        console.print(f"[bold red]*[/] {escape(sentence(found))}", soft_wrap=True, highlight=False)
    if not diagnosis.findings:
        console.print("Nothing is wrong, as far as its steps show.")
    if said := noise(diagnosis):
        console.print(said, soft_wrap=True, highlight=False)


def _file(run: str, folder: Path) -> Path:
    """Finds the file of a run by its path, or by how its name begins."""
    if Path(run).is_file():
        return Path(run)
    found = sorted(folder.glob("*.json"))
    found = [path for path in found if path.name.startswith(run)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.stem for path in found[:5])
        raise LabError(f"{len(found)} runs begin with {run!r}: {names}", "give more of the name")
    raise LabError(f"there is no run {run!r} in {str(folder)!r}", "train it first: adamas run mlp --optimizer adam")
