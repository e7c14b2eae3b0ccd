"""`adamas memory`: how many bytes a model's training takes, with each format of moments."""

import pickle
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

import adamas
from adamas.lab.commands import options
from adamas.lab.errors import LabError, first_line
from adamas.lab.imports import load_class
from adamas.lab.tables import plain
from adamas.memory import MemoryReport, tensors


def memory(
    target: Annotated[
        str, typer.Argument(metavar="MODEL|CHECKPOINT", help="package.module:Model, or a file that torch.save wrote.")
    ],
    optimizer: Annotated[str, typer.Option(help="One of Adamas's classes.")] = "AdamW",
    debug: options.Debug = False,
) -> None:
    """Count the bytes of weights, gradients and optimizer state, with each format of moments.

    A model is built on torch's meta device, a checkpoint is read without its numbers: nothing is allocated,
    however large it is. Activations are not counted, they depend on the data.

    [bold]Examples[/]

    [cyan]adamas memory torch.nn:Transformer[/]

    [cyan]adamas memory checkpoint.pt --optimizer SGD[/]
    """
    made = _optimizer(optimizer)
    found, states = _weights(target)
    params = [p if isinstance(p, _torch().nn.Parameter) else _torch().nn.Parameter(p) for p in found]
    if not params:
        raise LabError(f"{target!r} holds no weights of floating point", "name a model, or a checkpoint of one")
    _show(target, adamas.memory_report(made(params)), states)


def _torch() -> Any:
    import torch

    return torch


def _optimizer(name: str) -> Any:
    names = [each for each in adamas.__all__ if isinstance(getattr(adamas, each), type)]
    # The base class is no choice: it needs a rule.
    known = [each for each in names if adamas.Optimizer in getattr(adamas, each).__mro__[1:]]
    if name not in known:
        raise LabError(f"no optimizer is called {name!r}", f"give one of {', '.join(known)}")
    return getattr(adamas, name)


def _weights(target: str) -> tuple[list[Any], int]:
    """Return the weights of a model or checkpoint, on the meta device, and the bytes of optimizer state beside them."""
    path = Path(target)
    if path.is_file():
        return _read(path)
    if ":" not in target:
        raise LabError(f"there is no file {target!r}", "name a checkpoint, or a model as package.module:Model")
    model = load_class(target, "model")
    try:
        with _torch().device("meta"):
            return list(model().parameters()), 0
    except Exception as error:
        remedy = "the class must need no arguments: write one that gives them, in a module of yours"
        raise LabError(f"{target!r} can't be built ({first_line(error)})", remedy) from error


def _read(path: Path) -> tuple[list[Any], int]:
    try:
        content = _torch().load(path, map_location="meta", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        remedy = "it must be what torch.save writes of tensors, dicts and lists"
        raise LabError(f"{str(path)!r} can't be read ({first_line(error)})", remedy) from error
    states = list(_optimizer_states(content))
    inside = {id(x) for x in tensors(states)}
    weights = {
        (x.untyped_storage()._cdata, x.storage_offset(), x.shape): x  # tied weights once
        for x in tensors(content)
        if id(x) not in inside and x.is_floating_point()
    }
    return list(weights.values()), sum(x.numel() * x.element_size() for x in tensors(states))


def _optimizer_states(content: Any) -> Any:
    """Yield what optimizers have saved: dicts with ``state`` and ``param_groups``."""
    if isinstance(content, dict) and {"state", "param_groups"} <= content.keys():
        yield content
    elif isinstance(content, (dict, list, tuple)):
        for each in content.values() if isinstance(content, dict) else content:
            yield from _optimizer_states(each)


def _show(target: str, report: MemoryReport, states: int) -> None:
    header, _, *rows = report.rows()  # nothing of what is on the meta device is there now
    table = plain(f"{target}: {report.parameters:,} parameters, sizes in MiB")
    for place, each in enumerate(header):
        name = each.replace("bytes a parameter", "state bytes\na parameter")
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    console.print(table)
    if states:
        console.print(f"The optimizer's state in this file: {states / 2**20:,.1f} MiB", highlight=False)
