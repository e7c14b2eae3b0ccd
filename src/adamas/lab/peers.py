"""Optimizers of other packages, by import string: `package.module:Class`, `package.module:Class?key=value&key=value`.

    adamas compare mlp --optimizers adamw,torch.optim:AdamW,'schedulefree:AdamWScheduleFree?warmup_steps=50'

Any subclass of `torch.optim.Optimizer` that takes parameters and an `lr` will do.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from inspect import Parameter, signature

from torch.optim import Optimizer

from adamas.lab.errors import LabError
from adamas.lab.imports import load_class
from adamas.lab.spec import Value

_LR = 0.003
"""Where the search for a learning rate starts if a class has no default of its own."""


@dataclass(frozen=True)
class Peer:
    """An optimizer class of another package, with what its import string says about it."""

    label: str
    factory: Callable[..., Optimizer]
    lr: float
    settings: Mapping[str, Value]


def value(text: str) -> Value:
    """Reads a hyper-parameter as Python writes it; what is no number, boolean or tuple is a string.

    Example:
        >>> value("1e-3"), value("True"), value("0.9,0.99"), value("[1, 2]"), value("int8")
        (0.001, True, (0.9, 0.99), (1, 2), 'int8')
    """
    # Shells and JSON know these words in lower case.
    text = {"true": "True", "false": "False"}.get(text.strip(), text.strip())
    try:
        read = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(read, (list, tuple)) and all(type(each) in (int, float) for each in read):
        return tuple(read)
    return read if isinstance(read, (bool, int, float)) else text


def settings(pairs: list[str], reserved: str = "") -> dict[str, Value]:
    """Reads `key=value` words.

    Args:
        pairs: the words.
        reserved: a key that has an option of its own.

    Raises:
        LabError: one of them has no `=`, or the reserved key.

    Example:
        >>> settings(["eps=1e-6", "betas=0.9,0.95"])
        {'eps': 1e-06, 'betas': (0.9, 0.95)}
    """
    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip().isidentifier():
            raise LabError(f"{pair!r} is no setting", "write it as key=value, such as eps=1e-6")
        if key.strip() == reserved:
            raise LabError(f"{reserved} is no --set", f"give it as --{reserved} {text}")
        values[key.strip()] = value(text)
    return values


def load(name: str) -> Peer:
    """Imports the optimizer of an import string.

    Raises:
        LabError: it can't be imported, is no optimizer, or a setting is malformed.

    Example:
        >>> load("torch.optim:AdamW?eps=1e-6").label
        'torch AdamW eps=1e-6'
    """
    path, _, query = name.partition("?")
    found = load_class(path, "optimizer")
    if not issubclass(found, Optimizer):
        raise LabError(f"{path!r} is no torch.optim.Optimizer", "name a class that is derived from it")
    pairs = [pair for pair in query.split("&") if pair]
    default = signature(found).parameters.get("lr", Parameter("lr", Parameter.KEYWORD_ONLY)).default
    values = settings(pairs)
    given = values.pop("lr", default)
    return Peer(
        label=" ".join([f"{path.partition('.')[0].partition(':')[0]} {found.__name__}", *pairs]),
        factory=found,
        lr=float(given) if isinstance(given, (int, float)) else _LR,
        settings=values,
    )


def origin(name: str) -> str:
    """The distribution and version that an import string leads to; empty for a name in the catalogue.

    It is part of a run's identity: another version may take other steps.

    Example:
        >>> origin("torch.optim:AdamW").startswith("torch 2."), origin("adam")
        (True, '')
    """
    if ":" not in name:
        return ""
    package = name.partition(":")[0].partition(".")[0]
    try:
        distribution = metadata.packages_distributions().get(package, [package])[0]
        return f"{distribution} {metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        return package
