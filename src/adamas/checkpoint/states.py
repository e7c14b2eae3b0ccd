"""The saved state of one parameter: held against what a fresh state would be, then copied."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import torch

from adamas.checkpoint.imports import WRAPPED
from adamas.formats import format_for
from adamas.planning import host_number, make_state
from adamas.rules import Rule


class Expected(NamedTuple):
    """What the state of a parameter should hold.

    Attributes:
        name: what errors call the parameter.
        slots: names of the moments that the rule cannot do without.
        counters: names of the numbers that are kept on the host.
        fresh: a fresh state in the format that was saved, without memory (on the meta device).
    """

    name: str
    slots: tuple[str, ...]
    counters: frozenset[str]
    fresh: dict[str, Any]

    @classmethod
    def of(cls, p: torch.Tensor, name: str, rule: type[Rule], group: dict[str, Any], saved: dict[str, Any]) -> Expected:
        """Return what is expected of a state that was saved with the hyper-parameters ``saved`` for ``group``."""
        as_saved = {key: saved.get(key, "auto") for key in ("state_format", "rounding")}
        fresh: dict[str, Any] = {}
        make_state(torch.empty_like(p, device="meta"), name, {**group, **as_saved}, rule, fresh)
        counters = frozenset({"step", *(counter.name for counter in rule.counters)})
        return cls(name, tuple(slot.name for slot in rule.slots), counters, fresh)


def copy_state(p: torch.Tensor, saved: dict[str, Any], expected: Expected, state_format: str) -> dict[str, Any]:
    """Return a copy of a saved state: moments beside the parameter, in its memory order; counters on the host.

    Args:
        p: the parameter.
        saved: its state in the checkpoint.
        expected: what it should hold.
        state_format: what to store the rule's moments in; ``auto`` keeps the dtype they were saved in.

    Raises:
        ValueError: if a moment is missing or has another shape.
    """
    _check_slots(saved, expected)
    return {key: _copy(p, key, value, expected, state_format) for key, value in saved.items()}


def _check_slots(saved: dict[str, Any], expected: Expected) -> None:
    """Raise ValueError if a state is there but lacks a slot: of nothing, the optimizer would start afresh."""
    missing = [slot for slot in expected.slots if slot not in saved]
    if saved and missing:
        raise ValueError(
            f"the saved state of {expected.name} has {', '.join(map(str, saved))} but no {', '.join(missing)}: "
            f"{_whose(saved)}"
        )


def _whose(saved: dict[str, Any]) -> str:
    if "state1" in saved or WRAPPED in saved:
        return "it is of bitsandbytes; convert it with adamas.checkpoint.from_bitsandbytes"
    return "was it saved by another optimizer?"


def _copy(p: torch.Tensor, key: str, value: Any, expected: Expected, state_format: str) -> Any:
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
    if key in expected.slots and state_format != "auto":
        dtype = format_for(state_format, p).dtype_for(p)
    else:
        dtype = value.dtype
    if value.shape != p.shape or value.dim() == 0:
        return value.detach().to(p.device, dtype, copy=True)
    target = torch.empty_like(p, dtype=dtype, memory_format=torch.preserve_format, requires_grad=False)
    return target.copy_(value)


def _copy_counter(key: str, value: Any, name: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        raise ValueError(f"{key} of {name} has shape {tuple(value.shape)} in the checkpoint, it should be one number")
    if not isinstance(value, (torch.Tensor, int, float)):
        raise ValueError(f"{key} of {name} is {value!r} in the checkpoint, it should be a number")
    return host_number(value)
