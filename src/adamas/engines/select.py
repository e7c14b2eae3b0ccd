"""Chooses the engine of every parameter, and puts parameters that can be stepped together into one launch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch

from adamas.engines import cpu, triton
from adamas.engines.batch import Batch
from adamas.engines.cpu import CpuLaunch
from adamas.engines.launch import Item, Launch, as_real
from adamas.engines.reference import ReferenceLaunch
from adamas.engines.triton import TritonLaunch

ENGINES = ("reference", "cpu", "triton")
ENVIRONMENT = "ADAMAS_ENGINE"

_LAUNCHES: dict[str, Callable[[list[Item], list[torch.Tensor]], Launch]] = {
    "reference": lambda items, grads: ReferenceLaunch(items),
    "cpu": CpuLaunch,
    "triton": TritonLaunch,
}


def wanted_engine(asked: str) -> str:
    """Return the engine to use: ``ADAMAS_ENGINE`` if that is set, else the one asked for.

    Raises:
        ValueError: if ``ADAMAS_ENGINE`` names no engine.
    """
    wanted = os.environ.get(ENVIRONMENT) or asked
    if wanted != "auto" and wanted not in ENGINES:
        raise ValueError(f"{ENVIRONMENT}={wanted}: no such engine, there are auto, {', '.join(ENGINES)}")
    return wanted


def choose(item: Item, grad: torch.Tensor, asked: str) -> str:
    """Return the name of the engine that steps the item.

    Raises:
        RuntimeError: if the engine asked for cannot.
    """
    wanted = wanted_engine(asked)
    if wanted == "reference":
        return wanted
    compiled = compiled_engine(item.param, wanted)
    why = (triton if compiled == "triton" else cpu).refuse(item, as_real(grad))
    if why is None:
        return compiled
    # A missing library has been warned about, once; that fallback is promised for every choice.
    if wanted == "auto" or why == cpu.NO_LIBRARY:
        return "reference"
    raise RuntimeError(f"engine='{wanted}' cannot step {item.name}: {why}; use engine='auto' or engine='reference'")


def choose_capturable(item: Item, grad: torch.Tensor, asked: str) -> str:
    """Return the name of the engine that steps the item without the host.

    Raises:
        RuntimeError: if it cannot.
    """
    wanted = wanted_engine(asked)
    why = f"engine={wanted!r} keeps the step on the host"
    if wanted in ("auto", "triton"):
        why = triton.refuse(item, as_real(grad))
    if why is None:
        return "triton"
    raise RuntimeError(f"capturable=True needs the Triton engine, which cannot step {item.name}: {why}")


def compiled_engine(x: torch.Tensor, wanted: str) -> str:
    """Return the engine that ``auto`` tries for a tensor, or the one that is wanted.

    Example:
        >>> compiled_engine(torch.zeros(1), "auto"), compiled_engine(torch.zeros(1), "triton")
        ('cpu', 'triton')
    """
    if wanted != "auto":
        return wanted
    return "triton" if x.device.type == "cuda" else "cpu"


def launches(
    items: Sequence[Item], grads: Sequence[torch.Tensor], engines: Sequence[str]
) -> list[tuple[Launch, list[Item], list[torch.Tensor]]]:
    """Put items into launches, in the order of their first member; return these with their items and gradients.

    A parameter that is listed twice goes into two launches, so that its second step begins after its first.
    """
    together: dict[tuple[Any, ...], tuple[list[Item], list[torch.Tensor]]] = {}
    seen: dict[torch.Tensor, int] = {}
    for item, grad, engine in zip(items, grads, engines, strict=True):
        seen[item.owner] = seen.get(item.owner, 0) + 1
        dtypes = (item.param.dtype, *(slot.codes.dtype for slot in item.slots))
        where = (0 if item.cut is None else item.cut.bucket, item.param.device if engine == "triton" else None)
        key = (engine, item.rule, dtypes, item.rounding.name, "step" in item.state, seen[item.owner], *where)
        members, theirs = together.setdefault(key, ([], []))
        members.append(item)
        theirs.append(grad)
    return [
        (_LAUNCHES[engine](members, theirs), members, theirs) for (engine, *_), (members, theirs) in together.items()
    ]


def batches(items: Sequence[Item], grads: Sequence[torch.Tensor], engines: Sequence[str]) -> list[Batch]:
    """Put items into batches: launches with what they need on the host."""
    return [Batch(launch, members) for launch, members, _ in launches(items, grads, engines)]
