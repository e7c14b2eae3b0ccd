"""``capturable=True``: steps that a CUDA graph can capture and replay, and what cannot be in one, with the reason.

As in torch: take a few steps (a warm-up), capture one with ``torch.cuda.graph``, then replay it. The state's ``step``
is on the parameter's device. Between replays write new inputs (or gradients) where the old ones are; an lr in a tensor
on the device may be changed in place, an lr that is a number stays what it was at the capture. ``clip_norm``,
``nonfinite="skip"`` and a gradient scaler decide on the device; ``optimizer.skipped`` and ``optimizer.last_step`` ask
it, and so wait for it. It needs the Triton engine. After ``load_state_dict`` and whatever else gives the optimizer
other tensors, capture anew.

A graph's steps have the bits of the same steps without it (`tests/triton/capture.py`, on a GPU).
"""

from __future__ import annotations

from typing import Any

import torch

from adamas.engines.captured import CapturablePlan
from adamas.planning import make_plan

_UNPLANNED = (
    "a CUDA graph is being captured, and this step is not like the one before it: parameters with a gradient, layouts "
    "of gradients, state or groups differ, or there was none. Take a step like it (a warm-up) before the capture"
)


HAS_CUDA = torch.backends.cuda.is_built()  # of torch; ROCm's is, too


def is_capturing() -> bool:
    """Say whether the current stream is being captured into a CUDA graph."""
    return HAS_CUDA and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def refuse_capture(optimizer: Any) -> None:
    """Raise RuntimeError if a step that the host takes part in is being captured: replays would repeat its numbers."""
    if is_capturing():
        name = type(optimizer).__name__
        known = any("capturable" in group for group in optimizer.param_groups)
        hint = "set it" if known else f"{name} has no such option: leave step() out of the graph"
        raise RuntimeError(
            f"Attempting CUDA graph capture of step() for an instance of {name} but param_groups' capturable is False; "
            f"{hint}"
        )


def take_step(optimizer: Any, found_inf: Any, scale: Any) -> None:
    """Take a step of which the host knows nothing but where things are.

    Args:
        optimizer: an `adamas.Optimizer` with ``capturable=True``.
        found_inf: what a gradient scaler found, a tensor on the device; None without one.
        scale: what it multiplied the loss with.

    Raises:
        RuntimeError: for what cannot be captured, or if a step is captured that was not planned before.
    """
    refuse_settings(optimizer)
    groups, plan = optimizer.param_groups, optimizer._plan
    grads = plan.grads(groups, optimizer.rule, optimizer.state) if isinstance(plan, CapturablePlan) else None
    if grads is None:
        if is_capturing():
            raise RuntimeError(_UNPLANNED)
        rules = [optimizer.rule(group) for group in groups]
        plan = make_plan(groups, rules, optimizer.state, optimizer._lags, optimizer._how, capturable=True)
        grads = plan.grads(groups, optimizer.rule, optimizer.state)
    if grads is None or not isinstance(plan, CapturablePlan):
        raise RuntimeError("the optimizer was changed by another thread while it planned its step")
    optimizer._plan = plan
    if is_capturing():
        optimizer._held.append(plan)  # the graph reads its tables for as long as it is replayed
    optimizer.guards.step_captured(plan, grads, groups, found_inf, scale)


def refuse_settings(optimizer: Any) -> None:
    """Raise RuntimeError for settings by which the host would decide something in every step."""
    groups, guards = optimizer.param_groups, optimizer.guards
    reasons = (
        (not all(group.get("capturable") for group in groups), "all groups need it, some have capturable=False"),
        (
            guards.nonfinite == "raise",
            "nonfinite='raise' waits for the gradients' numbers in every step: use nonfinite='skip'",
        ),
        (guards.max_skips is not None, "max_skips counts on the host: use max_skips=None"),
        (optimizer.doctor is not None, "the doctor's looks go to the host: set diagnose_every = None"),
        (optimizer._gathering is not None, "ZeRO1 exchanges weights with other processes: use FSDP2 or none"),
        (optimizer.defaults["differentiable"], "differentiable=True records the step on the host"),
        (
            any(group["clip_update"] is not None for group in groups),
            "clip_update divides lr on the host by what it sees in every step: use clip_norm",
        ),
        (
            any(optimizer.rule(group).cautious for group in groups),
            "cautious=True scales the step on the host by what it sees in every step",
        ),
    )
    for refused, why in reasons:
        if refused:
            raise RuntimeError(f"capturable=True cannot be: {why}")
