"""Parameters that change their shape during training: grown vocabularies, pruned layers. Moments of kept rows stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from adamas.formats import Format, format_of
from adamas.planning import check_parameter, parameter_key, parameter_name
from adamas.rules import Rule
from adamas.slots import make_state, recast, scale_key, values_of

Rows = Sequence[int] | torch.Tensor | None


def replace(optimizer: Any, old: torch.Tensor, new: torch.Tensor, rows: Rows, dim: int) -> None:
    """Put ``new`` in the place of ``old``. See `adamas.Optimizer.replace`."""
    groups = optimizer.param_groups
    number, place = _find(groups, old)
    name = parameter_name(groups, number, place)
    check_parameter(name, new)
    if optimizer._how(old) is not None or optimizer._how(new) is not None:
        raise ValueError(f"{name} is cut over processes, and replace() is for whole parameters: replace, then cut")
    if any(new is p for group in groups for p in group["params"]):
        raise ValueError(f"the new tensor for {name} is in the optimizer already")
    sources = _sources(name, old, new, rows, dim)
    state: dict[str, Any] = dict(optimizer.state.get(old, {}))
    if any(value is not None for value in state.values()):
        rule, fresh = optimizer.rule(groups[number]), {}
        make_state(new, name, parameter_key(groups[number], place), groups[number], rule, fresh)
        state = _carried(_spread(state, old, rule, dim), fresh, old, new, rule, sources, dim)
    optimizer.state.pop(old, None)
    groups[number]["params"][place] = new
    if state:
        optimizer.state[new] = state


def _find(groups: list[dict[str, Any]], old: torch.Tensor) -> tuple[int, int]:
    for number, group in enumerate(groups):
        for place, p in enumerate(group["params"]):
            if p is old:
                return number, place
    raise ValueError(
        f"the tensor to replace, of shape {tuple(old.shape)}, is not in the optimizer; give the very object that is in "
        f"param_groups, or add the new one with add_param_group"
    )


def _sources(name: str, old: torch.Tensor, new: torch.Tensor, rows: Rows, dim: int) -> torch.Tensor:
    """Return for each row of the new tensor the row of the old that it continues, or -1."""
    if not old.dim():
        old, new = old.unsqueeze(0), new.unsqueeze(0) if not new.dim() else new
    if old.dim() != new.dim() or not 0 <= dim < old.dim():
        raise ValueError(
            f"{name} has shape {tuple(old.shape)}, the new tensor {tuple(new.shape)}: no rows along dim={dim}"
        )
    others = [size for tensor in (old, new) for d, size in enumerate(tensor.shape) if d != dim]
    if others[: old.dim() - 1] != others[old.dim() - 1 :]:
        raise ValueError(
            f"{name} has shape {tuple(old.shape)}, the new tensor {tuple(new.shape)}: they may differ in dimension "
            f"{dim} alone; replace one dimension after the other"
        )
    before, after = old.shape[dim], new.shape[dim]
    if rows is None:
        found = torch.arange(after)
        return torch.where(found < before, found, -1)
    found = torch.as_tensor(rows, dtype=torch.int64).cpu()
    if found.shape != (after,):
        raise ValueError(f"rows must name a row of the old tensor, or -1, for each of the {after} new ones of {name}")
    if bool(((found < -1) | (found >= before)).any()):
        raise ValueError(
            f"rows of {name} must be in -1 .. {before - 1}, got {found.min().item()} .. {found.max().item()}"
        )
    return found


def _blockwise(codes: torch.Tensor) -> bool:
    form = format_of(codes)
    return form is not None and form.blockwise


def _spread(state: dict[str, Any], old: torch.Tensor, rule: type[Rule], dim: int) -> dict[str, Any]:
    """Return a state whose slots have a row for every row: where blocks would be cut, their numbers in float32.

    What another rule of this group left behind in such blocks is left out: nobody could say whether it has signs.
    """
    cut, names = dim > 0 or old.dim() < 2, {slot.name for slot in rule.slots}
    left = {key for key in state if scale_key(key) in state and key not in names} if cut else set()
    spread = {key: value for key, value in state.items() if not left & {key, key.removesuffix(scale_key(""))}}
    for slot in rule.slots:
        codes = state.get(slot.name)
        if isinstance(codes, torch.Tensor) and _blockwise(codes) and cut:
            spread[slot.name] = values_of(old, slot, codes, spread.pop(scale_key(slot.name)))
    return spread


def _carried(
    state: dict[str, Any],
    fresh: dict[str, Any],
    old: torch.Tensor,
    new: torch.Tensor,
    rule: type[Rule],
    sources: torch.Tensor,
    dim: int,
) -> dict[str, Any]:
    """Return the state of the new tensor: rows that go on, in the format that its group asks for."""
    carried: dict[str, Any] = {}
    slots = {slot.name: slot for slot in rule.slots}
    for key, value in state.items():
        like = fresh.get(key)
        same = isinstance(value, torch.Tensor) and isinstance(like, torch.Tensor) and value.dtype == like.dtype
        if key not in slots or value is None or same:
            carried.setdefault(key, _carry(key, value, like, old, new, sources, dim))
    for key, slot in slots.items():
        if key not in carried and state.get(key) is not None:
            form = cast(Format, format_of(fresh[key]))
            start = values_of(new, slot, fresh[key], fresh.get(scale_key(key)))
            codes = state[key]
            if _blockwise(codes):  # rows of codes, for a format without them
                codes = values_of(old, slot, codes, state[scale_key(key)])
                carried.pop(scale_key(key), None)
            moved = _carry(key, codes, start.to(codes.dtype).clone(), old, new, sources, dim)
            codes, scale = recast(new, slot, moved, None, form)
            carried |= {key: codes} if scale is None else {key: codes, scale_key(key): scale}
    return carried


def _carry(
    key: str, value: Any, fresh: Any, old: torch.Tensor, new: torch.Tensor, sources: torch.Tensor, dim: int
) -> Any:
    """Return what of a state goes on: tensors row by row of the parameter; numbers as they are."""
    if not isinstance(value, torch.Tensor) or (value.dim() == 0 and old.dim() > 0):
        return value
    if fresh is None:
        size = [new.shape[dim] if d == dim else n for d, n in enumerate(value.shape)]
        fresh = torch.zeros(size, dtype=value.dtype, device=new.device)
    if not old.dim():
        return fresh.copy_(value)
    if value.dim() <= dim or value.shape[dim] != old.shape[dim] or fresh.shape[dim] != new.shape[dim]:
        raise ValueError(
            f"{key} has shape {tuple(value.shape)} for a parameter of {tuple(old.shape)}: no rows along dim={dim}"
        )
    kept = sources >= 0
    to, at = kept.nonzero().flatten().to(fresh.device), sources[kept].to(value.device)
    return fresh.index_copy_(dim, to, value.index_select(dim, at).to(fresh))
