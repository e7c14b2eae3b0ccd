"""Which format a slot of a parameter gets: what ``state_format=`` can say.

One name for all slots; or a dict of names by slot, ``{"exp_avg": "int4", "exp_avg_sq": "int8"}``; or by the parameter's
name, with ``*`` and ``?``, ``{"*.embed*": "float32", "exp_avg": "int4"}``, where a value may be a dict by slot again.
The first pattern that fits the parameter's name decides; what nothing decides is ``auto``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

Choice: TypeAlias = "str | Mapping[str, str | Mapping[str, str]]"


def chosen(choice: Choice, name: str | None, slot: str) -> str:
    """Return the name of the format for a slot of a parameter.

    Args:
        choice: the ``state_format`` of the parameter's group.
        name: the parameter's name, or None.
        slot: the slot's name.

    Example:
        >>> choice = {"*.embed*": "float32", "exp_avg": "int4", "exp_avg_sq": "int8"}
        >>> chosen(choice, "model.embed.weight", "exp_avg"), chosen(choice, "model.head.weight", "exp_avg")
        ('float32', 'int4')
    """
    if isinstance(choice, str):
        return choice
    for pattern, form in choice.items():
        if pattern != slot and name is not None and fnmatchcase(name, pattern):
            return chosen(form, None, slot)
    form = choice.get(slot, "auto")
    return form if isinstance(form, str) else "auto"


def named(choice: Choice) -> Iterable[str]:
    """Return all formats that a choice names.

    Example:
        >>> list(named({"*.embed*": {"exp_avg": "int8"}, "exp_avg": "int4"}))
        ['int8', 'int4']
    """
    if isinstance(choice, str):
        return [choice]
    return [form for inner in choice.values() for form in named(inner)]


def unused(choice: Choice, names: Iterable[str], slots: Iterable[str]) -> list[str]:
    """Return the keys of a choice that are neither one of these slots nor fit one of these parameters.

    Example:
        >>> unused({"*.embed*": "float32", "exp_avg_sqr": "int8"}, ["model.embed.weight"], ["exp_avg", "exp_avg_sq"])
        ['exp_avg_sqr']
    """
    if isinstance(choice, str):
        return []
    slots, names = set(slots), list(names)
    return [key for key in choice if key not in slots and not any(fnmatchcase(name, key) for name in names)]
