"""Loading an optimizer's state: everything is checked before anything is written, nothing is shared with the source."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from itertools import chain
from typing import Any

import torch

from adamas.formats import format_for
from adamas.planning import parameter_name


def load_state_dict(optimizer: Any, state_dict: dict[str, Any]) -> None:
    """Load ``state_dict`` into ``optimizer``. See `adamas.Optimizer.load_state_dict`."""
    state_dict = state_dict.copy()
    for hook in optimizer._optimizer_load_state_dict_pre_hooks.values():
        replaced = hook(optimizer, state_dict)
        if replaced is not None:
            state_dict = replaced
    groups, saved = optimizer.param_groups, state_dict["param_groups"]
    _check_sizes(groups, saved)
    sources = _match(groups, saved)
    merged = [_merge_group(group, new) for group, new in zip(groups, saved, strict=True)]
    state: dict[Any, dict[str, Any]] = defaultdict(dict)
    for number, group in enumerate(groups):
        slots = [slot.name for slot in optimizer.rule(merged[number]).slots]
        for place, p in enumerate(group["params"]):
            found = state_dict["state"].get(sources[number][place])
            if found is not None:
                name = parameter_name(groups, number, place)
                _check_slots(name, found, slots)
                form = "auto" if "state_format" in saved[number] else group["state_format"]
                state[p] = _copy_state(name, p, found, slots, form)
    known = set(chain.from_iterable(group["params"] for group in saved))
    for key, value in state_dict["state"].items():  # what belongs to no parameter is kept as it is, as torch does
        if key not in known:
            state[key] = value
    optimizer.__setstate__({"state": state, "param_groups": merged})
    for hook in optimizer._optimizer_load_state_dict_post_hooks.values():
        hook(optimizer)


def _check_sizes(groups: list[dict[str, Any]], saved: list[dict[str, Any]]) -> None:
    if len(groups) != len(saved):
        raise ValueError(
            f"loaded state dict has a different number of parameter groups "
            f"({len(saved)}, the optimizer has {len(groups)})"
        )
    for number, (group, new) in enumerate(zip(groups, saved, strict=True)):
        if len(group["params"]) != len(new["params"]):
            raise ValueError(
                f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group "
                f"(group {number}: {len(new['params'])} parameters, the optimizer has {len(group['params'])})"
            )


def _match(groups: list[dict[str, Any]], saved: list[dict[str, Any]]) -> list[list[Any]]:
    """Return, for every parameter, the key that its state is saved under."""
    if not (_have_names(groups) and _have_names(saved)):
        return [list(group["params"]) for group in saved]
    by_name = {name: key for group in saved for name, key in zip(group["param_names"], group["params"], strict=True)}
    names = list(chain.from_iterable(group["param_names"] for group in groups))
    missing = [name for name in names if name not in by_name]
    unexpected = sorted(set(by_name) - set(names))
    if missing or unexpected:
        raise ValueError(
            f"loaded state dict has other parameter names: missing {missing}, unexpected {unexpected}. Rename them, "
            f"or delete 'param_names' from its param_groups to match parameters by their order"
        )
    return [[by_name[name] for name in group["param_names"]] for group in groups]


def _have_names(groups: list[dict[str, Any]]) -> bool:
    """Say whether every parameter has a name of its own."""
    if not all("param_names" in group for group in groups):
        return False
    names = list(chain.from_iterable(group["param_names"] for group in groups))
    return len(set(names)) == len(names)


def _check_slots(name: str, saved: dict[str, Any], slots: list[str]) -> None:
    """Raise ValueError if a state is there but lacks a slot: of nothing, the optimizer would start afresh."""
    missing = [slot for slot in slots if slot not in saved]
    if saved and missing:
        raise ValueError(
            f"the loaded state of {name} has {', '.join(map(str, saved))} but no {', '.join(missing)}: was it saved by "
            f"another optimizer? Nothing was loaded"
        )


def _copy_state(
    name: str, p: torch.Tensor, saved: dict[str, Any], slots: list[str], state_format: str
) -> dict[str, Any]:
    """Return a copy of one parameter's state: slots beside the parameter, in its memory order; the rest on the host."""
    return {
        key: _copy_slot(name, p, key, value, state_format)
        if isinstance(value, torch.Tensor) and (key in slots or (value.dim() > 0 and value.shape == p.shape))
        else _copy_other(value)
        for key, value in saved.items()
    }


def _copy_slot(name: str, p: torch.Tensor, key: str, value: torch.Tensor, state_format: str) -> torch.Tensor:
    if value.shape != p.shape:
        raise ValueError(
            f"{key} of {name} has shape {tuple(value.shape)} in the loaded state dict, the parameter has "
            f"{tuple(p.shape)}; nothing was loaded"
        )
    dtype = value.dtype if state_format == "auto" else format_for(state_format, p).dtype_for(p)
    target = torch.empty_like(p, dtype=dtype, memory_format=torch.preserve_format, requires_grad=False)
    return target.copy_(value)


def _copy_other(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else deepcopy(value)


def _merge_group(group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the saved hyper-parameters with the optimizer's own parameters, names, engine, and what was not saved."""
    own = {key: group[key] for key in ("params", "param_names", "engine") if key in group}
    return {**group, **{key: deepcopy(value) for key, value in saved.items() if key != "params"}, **own}
