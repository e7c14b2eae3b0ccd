"""The saved state of one parameter: held against what a fresh state would be, then copied."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import torch

from adamas.checkpoint.imports import FLASHED, WRAPPED
from adamas.formats import chosen, format_of
from adamas.pages import in_large_pages
from adamas.rounding import LOW
from adamas.rules import Rule, Slot
from adamas.shards import Cut, cut_of, is_sharded, local, piece_of
from adamas.slots import host_number, make_state, recast, scale_key, slot_format, values_of


class Expected(NamedTuple):
    """What the state of a parameter should hold.

    Attributes:
        name: what errors call the parameter.
        key: its name, for patterns in ``state_format``, or None.
        slots: the moments that the rule cannot do without.
        counters: names of the numbers that are kept on the host.
        fresh: a fresh state in the format that was saved, without memory (on the meta device).
        cut: how the parameter is cut over processes; then so is its state.
    """

    name: str
    key: str | None
    slots: tuple[Slot, ...]
    counters: frozenset[str]
    fresh: dict[str, Any]
    cut: Cut | None = None

    @classmethod
    def of(
        cls,
        p: torch.Tensor,
        name: str,
        key: str | None,
        rule: type[Rule],
        group: dict[str, Any],
        saved: dict[str, Any],
        cut: Cut | None = None,
    ) -> Expected:
        """Return what is expected of a state that was saved with the hyper-parameters ``saved`` for ``group``."""
        as_saved = {word: saved.get(word, "auto") for word in ("state_format", "rounding")}
        fresh: dict[str, Any] = {}
        make_state(
            torch.empty_like(piece_of(p, cut), device="meta"), name, key, {**group, **as_saved}, rule, fresh, cut
        )
        counters = frozenset({"step", *(counter.name for counter in rule.counters)})
        return cls(name, key, rule.slots, counters, fresh, cut)


def copy_state(p: torch.Tensor, saved: dict[str, Any], expected: Expected, state_format: Any) -> dict[str, Any]:
    """Return a copy of a saved state: moments beside the parameter, in its memory order; counters on the host.

    Args:
        p: the parameter.
        saved: its state in the checkpoint.
        expected: what it should hold.
        state_format: what to store the rule's moments in; ``auto`` keeps the format they were saved in.

    Raises:
        ValueError: if a moment is missing or has another shape.
    """
    _check_slots(saved, expected)
    cut = expected.cut
    saved = _without_blocks(p, saved, expected) if cut is not None and cut.is_vector else saved
    plain = [slot.name for slot in expected.slots if _is_plain(saved.get(slot.name))]
    saved = {key: value for key, value in saved.items() if key not in map(scale_key, plain)}
    copied = {key: _copy(p, key, value, expected) for key, value in saved.items()}
    if cut is not None and cut.is_vector:  # without blocks where others have them
        copied |= {key: torch.empty(0) for key in map(scale_key, plain) if key in expected.fresh}
    for slot in expected.slots:
        form = chosen(state_format, expected.key, slot.name)
        if form != "auto" and copied.get(slot.name) is not None:
            target = slot_format(form, p, expected.name, cut)
            if format_of(copied[slot.name]) is not target:
                codes, scale = copied.pop(slot.name), copied.pop(scale_key(slot.name), None)
                codes, scale = recast(piece_of(p, cut), slot, codes, scale, target, cut)
                copied |= {slot.name: codes} if scale is None else {slot.name: codes, scale_key(slot.name): scale}
    return copied


def check_shape(saved: dict[str, Any], shape: tuple[int, ...] | None, p: torch.Tensor, expected: Expected) -> None:
    """Raise ValueError if moments in blocks are of a parameter of another shape; ``shape`` is None if not known."""
    if shape is None or tuple(shape) == p.shape:
        return
    kept = {slot.name: saved.get(slot.name) for slot in expected.slots}
    packed = [name for name, codes in kept.items() if codes is not None and not _is_plain(codes)]
    if packed:
        raise ValueError(
            f"{' and '.join(packed)} of {expected.name} in the checkpoint are of a parameter of shape {tuple(shape)}, "
            f"this one has {tuple(p.shape)}"
        )


def _check_slots(saved: dict[str, Any], expected: Expected) -> None:
    """Raise ValueError if a state is there but lacks a slot: of nothing, the optimizer would start afresh.

    A late slot may be missing beside the others: it was asked for (momentum, amsgrad) after the last step. A rule that
    has late slots alone is known by a state without any.
    """
    absent = [slot for slot in expected.slots if slot.name not in saved]
    known = len(absent) < len(expected.slots) or saved.keys() <= {*expected.counters, LOW}
    missing = [slot.name for slot in absent if not (slot.late and known)]
    if saved and missing:
        raise ValueError(
            f"the saved state of {expected.name} has {', '.join(map(str, saved))} but no {', '.join(missing)}: "
            f"{_whose(saved)}"
        )


def _whose(saved: dict[str, Any]) -> str:
    if "state1" in saved or WRAPPED in saved:
        return "it is of bitsandbytes; convert it with adamas.checkpoint.from_bitsandbytes"
    if any(str(key).endswith(FLASHED) for key in saved):
        return "it is of FlashOptim; convert it with adamas.checkpoint.from_flashoptim"
    return "was it saved by another optimizer?"


def _copy(p: torch.Tensor, key: str, value: Any, expected: Expected) -> Any:
    if key in expected.counters and value is not None:
        return _copy_counter(key, value, expected.name)
    if not isinstance(value, torch.Tensor):
        return deepcopy(value)
    if hasattr(value, "codes"):
        raise ValueError(
            f"{key} of {expected.name} is a {type(value).__name__}; convert the checkpoint with "
            f"adamas.checkpoint.from_torchao"
        )
    like = expected.fresh.get(key)
    if expected.cut is None and _is_plain(value) and not _is_plain(like):  # numbers, where codes were expected
        like = torch.empty_like(p, device="meta") if isinstance(like, torch.Tensor) else like
    if isinstance(like, torch.Tensor) and value.shape != like.shape:
        raise ValueError(
            f"{key} of {expected.name} has shape {tuple(value.shape)} in the checkpoint, this parameter needs "
            f"{tuple(like.shape)}"
        )
    if isinstance(like, torch.Tensor):  # in the memory order that the engines want
        piece = _piece(key, value, like, expected)
        made = torch.empty_like(local(like), dtype=value.dtype, device=p.device)
        copied = (in_large_pages(made) if value.is_floating_point() else made).copy_(piece)
        return copied if expected.cut is None else expected.cut.wrap(copied, like.shape)
    return value.detach().to(p.device, copy=True)


def _is_plain(codes: Any) -> bool:
    """Say whether a moment is numbers, not codes in blocks."""
    form = format_of(codes) if isinstance(codes, torch.Tensor) else None
    return form is not None and not form.blockwise


def _piece(key: str, value: torch.Tensor, like: torch.Tensor, expected: Expected) -> torch.Tensor:
    """Return what this process keeps of a saved tensor: of a whole one its piece, of a DTensor what is local.

    Raises:
        ValueError: for a DTensor that is cut otherwise than the parameter.
    """
    own, its = cut_of(like), cut_of(value)
    if its is not None and (own is None or (its.mesh, its.placements) != (own.mesh, own.placements)):
        wanted = "whole" if own is None else f"{own.placements} on {own.mesh}"
        raise ValueError(
            f"{key} of {expected.name} is {its.placements} on {its.mesh} in the checkpoint, here {wanted}: "
            f"load it with torch.distributed.checkpoint and get_optimizer_state_dict, which cut it as it is needed"
        )
    return value if own is None else own.take(value)


def _without_blocks(p: torch.Tensor, saved: dict[str, Any], expected: Expected) -> dict[str, Any]:
    """Return the state of a vector that was saved whole, with moments in blocks as the numbers that they stand for."""
    plain = dict(saved)
    for slot in expected.slots:
        form = format_of(saved[slot.name]) if isinstance(saved.get(slot.name), torch.Tensor) else None
        if form is not None and form.blockwise:
            whole = torch.empty(p.shape, dtype=p.dtype, device="meta")
            codes: Any = saved[slot.name]
            if is_sharded(codes):  # torch has cut them already, as it would cut numbers
                codes = codes.full_tensor()
            plain[slot.name] = values_of(whole, slot, codes, plain.pop(scale_key(slot.name), None))
    return plain


def _copy_counter(key: str, value: Any, name: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise ValueError(f"{key} of {name} has shape {tuple(value.shape)} in the checkpoint, it should be one number")
    if not isinstance(value, (torch.Tensor, int, float)):
        raise ValueError(f"{key} of {name} is {value!r} in the checkpoint, it should be a number")
    return host_number(value)
