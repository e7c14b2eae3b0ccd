"""What of a parameter's state the engines use: makes what is missing, finds what is there, in whatever format it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from adamas.engines.launch import as_real
from adamas.formats import FORMATS, INT8, Format, Stored, chosen, format_for, format_of
from adamas.rounding import LOW, ROUNDINGS, Dice, Rounding, rounding_for
from adamas.rules import Rule
from adamas.rules.rule import STEP, Counter, Slot
from adamas.shards import Cut, local


def scale_key(slot: str) -> str:
    """Return where in the state the scales of a slot are, if its format has blocks.

    Example:
        >>> scale_key("exp_avg")
        'exp_avg_scale'
    """
    return f"{slot}_scale"


def make_state(
    p: torch.Tensor,
    name: str,
    key: str | None,
    group: dict[str, Any],
    rule: type[Rule],
    state: dict[str, Any],
    cut: Cut | None = None,
) -> bool:
    """Add to a parameter's state what the rule and the rounding need and it lacks.

    Args:
        p: the parameter; of one that is cut this process's piece.
        name: what errors call it.
        key: its name, for patterns in ``state_format``; None if the optimizer was not given names.
        group: its group.
        rule: the group's rule.
        state: its state.
        cut: how it is cut; its state then is DTensors placed as it is.

    Returns:
        Whether any slot was made.

    Raises:
        ValueError: if a slot cannot be in the format asked for.
    """
    made: dict[str, torch.Tensor] = {}
    for slot in rule.slots:
        if state.get(slot.name) is None:
            made.update(_make_slot(p, name, slot, chosen(group["state_format"], key, slot.name), group, cut))
    whole = {**state, **made}
    rounding = _rounding(p, group, rule, whole)
    # int8 is rounded at random, whatever the rounding of weights.
    on = p.device if group.get("capturable") else None
    random = rounding.name != "nearest" or any(format_of(whole[slot.name]) is INT8 for slot in rule.slots)
    if random and not any(counter.name == "step" for counter in rule.counters):
        _make_counter(STEP, state, on)  # the key of the random numbers: without it a resumed run would repeat them
    for counter in rule.counters:
        if counter.stored:
            _make_counter(counter, state, on)
    if made:
        state.update(made)
    if rounding.low is None and LOW in state:
        del state[LOW]
    if rounding.low is not None and LOW not in state:
        low = torch.zeros_like(as_real(p.detach()), dtype=rounding.low, memory_format=torch.preserve_format)
        state[LOW] = low if cut is None else cut.wrap(low, cut.shape)
    return bool(made)


def stored_slots(p: torch.Tensor, name: str, rule: type[Rule], state: dict[str, Any]) -> tuple[Stored, ...]:
    """Return the rule's slots of a parameter.

    Raises:
        RuntimeError: if one of them does not fit the parameter.
    """
    return tuple(_stored(p, name, slot, state) for slot in rule.slots)


def rounding_of(p: torch.Tensor, name: str, group: dict[str, Any], rule: type[Rule], state: dict[str, Any]) -> Rounding:
    """Return how a parameter's weight and slots are written.

    Raises:
        RuntimeError: if the state has the bits below a weight of another rounding, or of another shape.
    """
    rounding = _rounding(p, group, rule, state)
    low = local(state.get(LOW))
    if rounding.low is not None and (low is None or low.dtype != rounding.low or low.shape != as_real(p).shape):
        given = "nothing" if low is None else f"{low.dtype} of shape {tuple(low.shape)}"
        raise RuntimeError(
            f"{LOW} of {name} is {given}; rounding={rounding.name!r} needs {rounding.low} of shape "
            f"{tuple(as_real(p).shape)}. Load a checkpoint of the same rounding, or del optimizer.state[p][{LOW!r}] to "
            f"go on from the weights as the model has them"
        )
    return rounding


def _rounding(p: torch.Tensor, group: dict[str, Any], rule: type[Rule], state: dict[str, Any]) -> Rounding:
    kept = [state[slot.name].dtype for slot in rule.slots if isinstance(state.get(slot.name), torch.Tensor)]
    return rounding_for(group["rounding"], p.dtype.to_real(), kept)


def _make_slot(
    p: torch.Tensor, name: str, slot: Slot, form: str, group: dict[str, Any], cut: Cut | None
) -> Iterable[tuple[str, torch.Tensor]]:
    start = float(group[slot.start] if isinstance(slot.start, str) else slot.start)
    kept = slot_format(form, p, name, cut)
    try:
        codes, scale = _wrapped(p, kept.allocate(p.detach(), start, slot.signed), slot, kept, cut)
    except ValueError as error:
        raise ValueError(f"{name} is {p.dtype}: {error}; give its group another state_format") from None
    if scale is None and format_for(form, p).blockwise:
        # torch.distributed.checkpoint copies key by key, whatever the dtypes: an empty scale keeps it from taking the
        # codes of a vector that was whole for numbers.
        scale = torch.empty(0)
    return [(slot.name, codes)] if scale is None else [(slot.name, codes), (scale_key(slot.name), scale)]


_Made = tuple[torch.Tensor, "torch.Tensor | None"]


def _wrapped(p: torch.Tensor, made: _Made, slot: Slot, form: Format, cut: Cut | None) -> _Made:
    """Return codes and scale of a piece as DTensors, if it is one."""
    if cut is None:
        return made
    whole = form.allocate(torch.empty(cut.shape, dtype=p.dtype, device="meta"), 0.0, slot.signed)
    scale = None if made[1] is None or whole[1] is None else cut.wrap(made[1], whole[1].shape)
    return cut.wrap(made[0], whole[0].shape), scale


def slot_format(form: str, p: torch.Tensor, name: str, cut: Cut | None) -> Format:
    """Return the format for a slot of a parameter: of a vector that is cut float32, where the one asked for has blocks.

    Raises:
        ValueError: if blocks cannot lie in one piece each.
    """
    kept = format_for(form, p)
    if cut is None or not kept.blockwise:
        return kept
    if cut.is_vector:
        return FORMATS["float32"]
    wrong = cut.blocks_misfit()
    if wrong is not None:
        raise ValueError(f"{name} cannot have moments in {form}: {wrong}, or give it another state_format")
    return kept


def _stored(p: torch.Tensor, name: str, slot: Slot, state: dict[str, Any]) -> Stored:
    codes, scale = local(state[slot.name]), local(state.get(scale_key(slot.name)))
    form = format_of(codes)
    if form is None:
        raise RuntimeError(f"{slot.name} of {name} is {codes.dtype}, which is no format of a moment")
    wrong = form.misfit(p, codes, scale)
    if wrong is None and (codes.device != p.device or (scale is not None and scale.device != p.device)):
        wrong = f"is on {codes.device}, the parameter is on {p.device}"
    if wrong is not None:
        raise RuntimeError(
            f"{slot.name} of {name} {wrong}: it was changed after its state was made. Make a new optimizer, "
            f"or delete optimizer.state[p] to start the parameter afresh."
        )
    return _as_stored(p, slot, form, codes, scale)


def _as_stored(p: torch.Tensor, slot: Slot, form: Format, codes: torch.Tensor, scale: torch.Tensor | None) -> Stored:
    if not form.blockwise:
        codes, scale = as_real(codes), None
    return Stored(form, codes, scale, slot.signed, as_real(p).shape)


def values_of(p: torch.Tensor, slot: Slot, codes: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    """Return the numbers that a slot of ``p`` stands for, of the shape of ``p``; those of plain formats as they are.

    Raises:
        ValueError: if codes or scale are not a slot of ``p``.
    """
    form = format_of(codes)
    wrong = f"is {codes.dtype}, which is no format of a moment" if form is None else form.misfit(p, codes, scale)
    if form is None or wrong is not None:
        raise ValueError(f"{slot.name} {wrong}")
    if not form.blockwise:
        return codes
    values = form.read(_as_stored(p, slot, form, codes, scale), torch.float32)
    return torch.view_as_complex(values.contiguous()) if p.is_complex() else values


def recast(
    p: torch.Tensor, slot: Slot, codes: torch.Tensor, scale: torch.Tensor | None, form: Format, cut: Cut | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return a slot of ``p``, which is a piece if there is a cut, in another format, rounded to nearest."""
    values = values_of(p, slot, local(codes), local(scale))
    codes, scale = form.allocate(p.detach(), 0.0, slot.signed)
    form.write(
        _as_stored(p, slot, form, codes, scale),
        as_real(values).to(torch.float32 if form.blockwise else values.dtype.to_real()),
        ROUNDINGS["nearest"],
        Dice(0, 0, 0),
    )
    return _wrapped(p, (codes, scale), slot, form, cut)


def _make_counter(counter: Counter, state: dict[str, Any], on: torch.device | None) -> None:
    """Make a counter, or move it to where it is wanted: to the device if the host is not to know it."""
    value = state.get(counter.name, counter.start)
    if on is not None:
        if not (isinstance(value, torch.Tensor) and value.device == on and value.dtype == torch.float32):
            state[counter.name] = torch.full((), float(value), dtype=torch.float32, device=on)
    elif not isinstance(value, torch.Tensor) or value.device.type != "cpu":
        state[counter.name] = host_number(value)


def host_number(value: float | torch.Tensor) -> torch.Tensor:
    """Return a counter as it is kept: a new 0-dim tensor on the CPU, in single precision at least."""
    if isinstance(value, torch.Tensor) and value.dtype in (torch.float32, torch.float64):
        return value.detach().to("cpu", copy=True).reshape(())
    # torch keeps the step in the default dtype, at least float32.
    dtype = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    return torch.tensor(float(value), dtype=dtype)
