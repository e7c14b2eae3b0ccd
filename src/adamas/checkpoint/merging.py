"""The hyper-parameters of groups after a load: the saved ones, or the optimizer's own."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

_Groups = list[dict[str, Any]]

_OWN = ("params", "param_names", "engine")
"""What stays the optimizer's whatever is loaded: the checkpoint may come from another machine."""


def merge_groups(groups: _Groups, saved: _Groups, keys: list[list[Any]], hyperparameters: str) -> _Groups:
    """Return the groups as they are after the load.

    Args:
        groups: the optimizer's.
        saved: the checkpoint's.
        keys: for each group and place, the key of the saved parameter that belongs there, or None.
        hyperparameters: ``load`` takes the saved ones, ``keep`` the optimizer's.

    Raises:
        ValueError: for any other word, or if the saved groups are cut otherwise and disagree about a group.
    """
    if hyperparameters == "keep":
        return [dict(group) for group in groups]
    if hyperparameters != "load":
        raise ValueError(f"hyperparameters must be 'load' or 'keep', got {hyperparameters!r}")
    origins = _origins(groups, saved, keys)
    return [
        _merge_group(group, saved[origin]) if origin is not None else dict(group)
        for group, origin in zip(groups, origins, strict=True)
    ]


def group_of_key(saved: _Groups) -> dict[Any, int]:
    """Return the number of the group that each saved parameter is in."""
    return {key: number for number, group in enumerate(saved) for key in group["params"]}


def _origins(groups: _Groups, saved: _Groups, keys: list[list[Any]]) -> list[int | None]:
    """Return for each group the number of the saved group that its parameters were in."""
    where = group_of_key(saved)
    origins: list[int | None] = []
    for number, own in enumerate(keys):
        came_from = sorted({where[key] for key in own if key is not None})
        if not came_from or len(came_from) > 1:
            same_cut = len(groups) == len(saved)
            if not same_cut and any(_hyper(saved[i]) != _hyper(saved[came_from[0]]) for i in came_from):
                raise ValueError(
                    f"group {number} has parameters that were saved in groups {came_from}, whose hyper-parameters "
                    f"differ: load with hyperparameters='keep', or make the groups as they were. Nothing was loaded"
                )
            came_from = [number] if same_cut else came_from
        origins.append(came_from[0] if came_from else None)
    return origins


def _hyper(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in _OWN}


def _merge_group(group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the saved hyper-parameters with the optimizer's own parameters, names, engine, and what was not saved."""
    own = {key: group[key] for key in _OWN if key in group}
    return {**group, **{key: deepcopy(value) for key, value in saved.items() if key != "params"}, **own}
