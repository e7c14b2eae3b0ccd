"""Loading an optimizer's state: everything is checked before anything is written, nothing is shared with the source."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from adamas.checkpoint.matching import LoadReport, match
from adamas.checkpoint.merging import group_of_key, merge_groups
from adamas.checkpoint.states import Expected, check_shape, copy_state
from adamas.planning import parameter_key, parameter_name
from adamas.slots import scale_key

VERSION = 1
"""Of what ``state_dict()`` returns. A reader takes its own and older ones."""


def header(optimizer: Any, packed: dict[str, Any]) -> dict[str, Any]:
    """Return what stands under the key ``adamas`` of a state dict: who wrote it, and what its tensors do not tell.

    That is the shape of each parameter that has moments in blocks: eight codes of ``int4`` are one word, so tensors of
    1 and of 3 elements look alike.
    """
    shapes = {}
    for group, saved in zip(optimizer.param_groups, packed["param_groups"], strict=True):
        for p, key in zip(group["params"], saved["params"], strict=True):
            state = packed["state"].get(key, {})
            if any(scale_key(slot) in state for slot in state):
                shapes[key] = tuple(p.shape)
    return {"version": VERSION, "optimizer": type(optimizer).__name__, "shapes": shapes}


def load_state_dict(optimizer: Any, state_dict: dict[str, Any], strict: bool, hyperparameters: str) -> LoadReport:
    """Load ``state_dict`` into ``optimizer``. See `adamas.Optimizer.load_state_dict`."""
    state_dict = _after_hooks(optimizer, state_dict.copy())
    _check_version(state_dict)
    groups, saved = optimizer.param_groups, state_dict["param_groups"]
    found = match(groups, saved)
    merged = merge_groups(groups, saved, found.keys, hyperparameters)
    state, unfit = _copy_states(optimizer, state_dict, found.keys, merged, hyperparameters)
    report = LoadReport(found.missing, found.unexpected, unfit)
    if report and strict:
        raise ValueError(
            f"the state dict does not fit the optimizer, nothing was loaded:\n{report}\n"
            f"Rename what was renamed; or load with strict=False: what does not fit then starts afresh"
        )
    optimizer.__setstate__({"state": state, "param_groups": merged})
    for hook in optimizer._optimizer_load_state_dict_post_hooks.values():
        hook(optimizer)
    return report


def _after_hooks(optimizer: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
    for hook in optimizer._optimizer_load_state_dict_pre_hooks.values():
        replaced = hook(optimizer, state_dict)
        if replaced is not None:
            state_dict = replaced
    return state_dict


def _check_version(state_dict: dict[str, Any]) -> None:
    version = state_dict.get("adamas", {}).get("version", 0)  # 0: torch, or adamas 0.1
    if version > VERSION:
        raise ValueError(
            f"the state dict has version {version}, this adamas reads up to {VERSION}: it was saved by a newer one; "
            f"update adamas. Nothing was loaded"
        )


def _copy_states(
    optimizer: Any, state_dict: dict[str, Any], keys: list[list[Any]], merged: list[dict[str, Any]], hyper: str
) -> tuple[dict[Any, dict[str, Any]], tuple[str, ...]]:
    """Return copies of the states that fit, and what is wrong with the others."""
    saved, shapes = state_dict["param_groups"], state_dict.get("adamas", {}).get("shapes", {})
    where = group_of_key(saved)
    state: dict[Any, dict[str, Any]] = defaultdict(dict)
    unfit = []
    for number, group in enumerate(optimizer.param_groups):
        rule = optimizer.rule(merged[number])
        for place, (p, key) in enumerate(zip(group["params"], keys[number], strict=True)):
            found = state_dict["state"].get(key) if key is not None else None
            if found is None:
                continue
            name = parameter_name(optimizer.param_groups, number, place)
            source = saved[where[key]]
            pattern = parameter_key(group, place)
            form = group["state_format"] if hyper == "keep" or "state_format" not in source else "auto"
            try:
                expected = Expected.of(p, name, pattern, rule, merged[number], source, optimizer._how(p))
                check_shape(found, shapes.get(key), p, expected)
                state[p] = copy_state(p, found, expected, form)
            except ValueError as error:
                unfit.append(str(error))
    for key, value in state_dict["state"].items():  # what belongs to no parameter is kept as it is, as torch does
        if key not in where:
            state[key] = value
    return state, tuple(unfit)
