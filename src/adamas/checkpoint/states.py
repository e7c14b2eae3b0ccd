"""The saved state of one parameter: held against what a fresh state would be, then copied."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import torch

from adamas.checkpoint.imports import FLASHED, WRAPPED
from adamas.formats import chosen, format_for, format_of
from adamas.pages import in_large_pages
from adamas.rules import Rule, Slot
from adamas.slots import host_number, make_state, recast, scale_key


class Expected(NamedTuple):
    """What the state of a parameter should hold.

    Attributes:
        name: what errors call the parameter.
        key: its name, for patterns in ``state_format``, or None.
        slots: the moments that the rule cannot do without.
        counters: names of the numbers that are kept on the host.
        fresh: a fresh state in the format that was saved, without memory (on the meta device).
    """

    name: str
    key: str | None
    slots: tuple[Slot, ...]
    counters: frozenset[str]
    fresh: dict[str, Any]

    @classmethod
    def of(
        cls,
        p: torch.Tensor,
        name: str,
        key: str | None,
        rule: type[Rule],
        group: dict[str, Any],
        saved: dict[str, Any],
    ) -> Expected:
        """Return what is expected of a state that was saved with the hyper-parameters ``saved`` for ``group``."""
        as_saved = {word: saved.get(word, "auto") for word in ("state_format", "rounding")}
        fresh: dict[str, Any] = {}
        make_state(torch.empty_like(p, device="meta"), name, key, {**group, **as_saved}, rule, fresh)
        counters = frozenset({"step", *(counter.name for counter in rule.counters)})
        return cls(name, key, rule.slots, counters, fresh)


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
    copied = {key: _copy(p, key, value, expected) for key, value in saved.items()}
    for slot in expected.slots:
        form = chosen(state_format, expected.key, slot.name)
        if form != "auto" and copied.get(slot.name) is not None:
            target = format_for(form, p)
            if format_of(copied[slot.name]) is not target:
                codes, scale = recast(p, slot, copied.pop(slot.name), copied.pop(scale_key(slot.name), None), target)
                copied |= {slot.name: codes} if scale is None else {slot.name: codes, scale_key(slot.name): scale}
    return copied


def _check_slots(saved: dict[str, Any], expected: Expected) -> None:
    """Raise ValueError if a state is there but lacks a slot: of nothing, the optimizer would start afresh."""
    missing = [slot.name for slot in expected.slots if slot.name not in saved]
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
    if isinstance(like, torch.Tensor) and value.shape != like.shape:
        raise ValueError(
            f"{key} of {expected.name} has shape {tuple(value.shape)} in the checkpoint, this parameter needs "
            f"{tuple(like.shape)}"
        )
    if isinstance(like, torch.Tensor):  # in the memory order that the engines want
        return in_large_pages(torch.empty_like(like, dtype=value.dtype, device=p.device)).copy_(value)
    return value.detach().to(p.device, copy=True)


def _copy_counter(key: str, value: Any, name: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise ValueError(f"{key} of {name} has shape {tuple(value.shape)} in the checkpoint, it should be one number")
    if not isinstance(value, (torch.Tensor, int, float)):
        raise ValueError(f"{key} of {name} is {value!r} in the checkpoint, it should be a number")
    return host_number(value)
