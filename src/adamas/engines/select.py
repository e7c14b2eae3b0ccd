"""Chooses the engine of every parameter, and puts parameters that can be stepped together into one launch."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from adamas.engines import cpu
from adamas.engines.batch import Batch
from adamas.engines.cpu import CpuLaunch
from adamas.engines.launch import Item, as_real
from adamas.engines.reference import ReferenceLaunch

ENGINES = ("reference", "cpu")
ENVIRONMENT = "ADAMAS_ENGINE"


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
    why = None if wanted == "reference" else cpu.refuse(item, as_real(grad))
    if why is None:
        return "reference" if wanted == "reference" else "cpu"
    # A missing library has been warned about, once; that fallback is promised for every choice.
    if wanted == "auto" or why == cpu.NO_LIBRARY:
        return "reference"
    raise RuntimeError(f"engine='{wanted}' cannot step {item.name}: {why}; use engine='auto' or engine='reference'")


def batches(items: Sequence[Item], grads: Sequence[torch.Tensor], engines: Sequence[str]) -> list[Batch]:
    """Put items into launches, in the order of their first member.

    A parameter that is listed twice goes into two launches, so that its second step begins after its first.
    """
    together: dict[tuple[object, ...], list[tuple[Item, torch.Tensor]]] = {}
    seen: dict[torch.Tensor, int] = {}
    for item, grad, engine in zip(items, grads, engines, strict=True):
        seen[item.owner] = seen.get(item.owner, 0) + 1
        dtypes = (item.param.dtype, *(slot.codes.dtype for slot in item.slots))
        bucket = 0 if item.cut is None else item.cut.bucket
        key = (engine, item.rule, dtypes, item.rounding.name, "step" in item.state, seen[item.owner], bucket)
        together.setdefault(key, []).append((item, grad))
    made = []
    for (engine, *_), members in together.items():
        launch_items = [item for item, _ in members]
        launch = (
            CpuLaunch(launch_items, [grad for _, grad in members]) if engine == "cpu" else ReferenceLaunch(launch_items)
        )
        made.append(Batch(launch, launch_items))
    return made
