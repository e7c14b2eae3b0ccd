"""Which parameters decay: by what module they belong to, by what they are called, by how many dimensions they have."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch

_EMBEDDINGS = (torch.nn.Embedding, torch.nn.EmbeddingBag)

# Names of vectors that stand for something to be looked up, whatever their number of dimensions.
_NAMES = (
    "*bias*",
    "*pos*embed*",
    "*position*embed*",
    "*cls_token*",
    "*mask_token*",
    "*dist_token*",
    "*class_embed*",
    "*logit_scale*",
)


class Place(NamedTuple):
    """A place where a parameter is used.

    Attributes:
        name: of the parameter there, as ``named_parameters()`` has it.
        module: what it belongs to.
    """

    name: str
    module: torch.nn.Module


class Parameter(NamedTuple):
    """A parameter of a model with all its places: tied weights have more than one.

    Attributes:
        tensor: the parameter.
        places: where it is used, the first as in ``named_parameters()``.
    """

    tensor: torch.nn.Parameter
    places: tuple[Place, ...]

    @property
    def name(self) -> str:
        """The name in ``named_parameters()``."""
        return self.places[0].name


def parameters(model: torch.nn.Module) -> list[Parameter]:
    """Return every parameter of a model once, in the order of ``named_parameters()``.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False))
        >>> model[1].weight = model[0].weight
        >>> [[place.name for place in p.places] for p in parameters(model)]
        [['0.weight', '1.weight']]
    """
    found: dict[torch.nn.Parameter, list[Place]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        for name, p in module.named_parameters(recurse=False, remove_duplicate=False):
            found.setdefault(p, []).append(Place(f"{path}.{name}" if path else name, module))
    return [Parameter(p, tuple(places)) for p, places in found.items()]


def why_no_decay(p: Parameter, patterns: str | Sequence[str]) -> str:
    """Return why a parameter does not decay, or nothing if it does.

    Args:
        p: the parameter.
        patterns: ``auto``, or the names that do not decay.

    Example:
        >>> [why_no_decay(p, "auto") for p in parameters(torch.nn.Linear(2, 3))]
        ['', 'name matches *bias*']
    """
    if not isinstance(patterns, str):
        return next(
            (f"name matches {word}" for place in p.places for word in patterns if matches(place.name, word)), ""
        )
    for name, module in p.places:
        kind = type(module).__name__
        if isinstance(module, _EMBEDDINGS) or kind.endswith("Embedding"):
            return f"embedding ({kind})"
        if "norm" in kind.lower():
            return f"norm ({kind})"
        last = name.rpartition(".")[2]
        for word in _NAMES:
            if fnmatch.fnmatchcase(last, word):
                return f"name matches {word}"
    return "fewer than 2 dimensions" if p.tensor.dim() < 2 else ""


def matches(name: str, pattern: str) -> bool:
    """Say whether a pattern means a parameter: by its name, or by that of a module that it is in.

    Example:
        >>> [matches("net.head.weight", word) for word in ("*.head", "*.weight", "head", "net")]
        [True, True, False, True]
        >>> matches("head.weight", "*.head")
        True
    """
    return any(fnmatch.fnmatchcase(each, pattern) or fnmatch.fnmatchcase(f".{each}", pattern) for each in _paths(name))


def check_patterns(params: Sequence[Parameter], patterns: Iterable[str], what: str) -> None:
    """Raise ValueError for a pattern that means no parameter: most likely it is misspelt."""
    names = [place.name for p in params for place in p.places]
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise ValueError(f"{what}: no parameter or module is called {pattern!r}; there are {shown}")


def _paths(name: str) -> Iterator[str]:
    """Yield a name and those of the modules around it."""
    while name:
        yield name
        name = name.rpartition(".")[0]
