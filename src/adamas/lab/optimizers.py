"""The catalogue: short name -> optimizer class, its fixed settings and a default learning rate.

Adding an optimizer is one row here; a hyper-parameter that a row doesn't mention has the class's default.
Optimizers of other packages need no row: `package.module:Class?key=value&key=value`, see `peers`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import signature
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

import adamas
from adamas.lab import peers
from adamas.lab.errors import LabError, first_line
from adamas.lab.spec import Settings, Value


@dataclass(frozen=True)
class Entry:
    """One optimizer the lab knows by name.

    Args:
        name: what the command line calls it.
        label: what tables and charts call it.
        factory: called as `factory(params, lr=..., **settings)`.
        lr: learning rate used where a workload has no tuned one, and where the search for one starts.
        settings: hyper-parameters that make it this optimizer rather than another with the same class.
    """

    name: str
    label: str
    factory: Callable[..., Optimizer]
    lr: float
    settings: Mapping[str, Value] = field(default_factory=dict)


_ENTRIES = (
    Entry("sgd", "SGD", adamas.SGD, 0.1),
    Entry("momentum", "Momentum", adamas.SGD, 0.03, {"momentum": 0.9}),
    Entry("nesterov", "Nesterov", adamas.SGD, 0.03, {"momentum": 0.9, "nesterov": True}),
    Entry("adagrad", "AdaGrad", adamas.Adagrad, 0.03),
    Entry("rmsprop", "RMSProp", adamas.RMSprop, 0.001),
    Entry("adam", "Adam", adamas.Adam, 0.003),
    Entry("adamw", "AdamW", adamas.AdamW, 0.003),
    Entry("amsgrad", "AMSGrad", adamas.Adam, 0.003, {"amsgrad": True}),
    Entry("adamax", "Adamax", adamas.Adamax, 0.003),
    Entry("nadam", "NAdam", adamas.NAdam, 0.003),
    Entry("radam", "RAdam", adamas.RAdam, 0.003),
    Entry("lion", "Lion", adamas.Lion, 0.0003),
)

CATALOGUE: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def entry(name: str) -> Entry:
    """Looks an optimizer up, in the catalogue or, by its import string, wherever Python finds it.

    Raises:
        LabError: the catalogue has no such name, or the class can't be imported.

    Example:
        >>> entry("rmsprop").label
        'RMSProp'
        >>> entry("torch.optim:NAdam?momentum_decay=0.01").settings
        {'momentum_decay': 0.01}
    """
    if ":" in name:
        peer = peers.load(name)
        return Entry(name, peer.label, peer.factory, peer.lr, peer.settings)
    if name not in CATALOGUE:
        close = get_close_matches(name, CATALOGUE, n=1)
        known = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(CATALOGUE)}"
        raise LabError(f"no optimizer is called {name!r}", f"{known} (or another's, as package.module:Class)")
    return CATALOGUE[name]


def hyperparameters(name: str, lr: float | None = None, changed: Settings = MappingProxyType({})) -> dict[str, Value]:
    """Everything that is passed to the optimizer's class besides the parameters.

    Args:
        name: the optimizer.
        lr: learning rate; by default the entry's.
        changed: keywords of its class that are to differ.

    Example:
        >>> hyperparameters("momentum", lr=0.05)
        {'lr': 0.05, 'momentum': 0.9}
        >>> hyperparameters("momentum", changed={"momentum": 0.8})
        {'lr': 0.03, 'momentum': 0.8}
    """
    chosen = entry(name)
    return {"lr": chosen.lr if lr is None else lr, **chosen.settings, **changed}


def accepts(name: str) -> Mapping[str, Any]:
    """The keywords of the optimizer's class and their defaults, its fixed settings in place of these.

    Example:
        >>> accepts("momentum")["momentum"], accepts("adam")["betas"], "betas" in accepts("sgd")
        (0.9, (0.9, 0.999), False)
    """
    return {**_keywords(name), **entry(name).settings}


def _keywords(name: str) -> dict[str, Any]:
    parameters = list(signature(entry(name).factory).parameters.values())[1:]
    return {each.name: each.default for each in parameters if each.kind is not each.VAR_KEYWORD}


def check(name: str, values: Settings) -> None:
    """Finds out whether the optimizer's class takes these hyper-parameters, by making one.

    Raises:
        LabError: it doesn't; a misspelt keyword, or a value out of its range.

    Example:
        >>> check("adam", {"lr": 0.1})
        >>> check("adam", {"lr": -1})
        Traceback (most recent call last):
        adamas.lab.errors.LabError: adam does not take lr=-1 (...): ...
    """
    try:
        build(name, values, [torch.nn.Parameter(torch.zeros(2, 2))], "reference")
    except (TypeError, ValueError) as error:
        # What the name itself sets is no proof that the class knows it.
        known = _keywords(name)
        unknown = [key for key in values if key not in known]
        if unknown:
            close = get_close_matches(unknown[0], known, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
            raise LabError(f"{name} has no hyper-parameter {unknown[0]!r}", remedy) from error
        given = ", ".join(f"{key}={value}" for key, value in values.items())
        raise LabError(f"{name} does not take {given} ({first_line(error)})", "change the value") from error


def build(name: str, values: Settings, parameters: Iterable[Tensor], engine: str) -> Optimizer:
    """Makes the optimizer over `parameters` with exactly the hyper-parameters `values`.

    Args:
        name: the optimizer.
        values: keywords for its class.
        parameters: what it is to step.
        engine: `cpu` for the compiled one, where it can step a parameter, or `reference` for all of them;
            an optimizer of another package has no such choice.
    """
    factory = entry(name).factory
    if ":" in name:
        return factory(parameters, **values)
    return factory(parameters, engine="auto" if engine == "cpu" else engine, **values)
