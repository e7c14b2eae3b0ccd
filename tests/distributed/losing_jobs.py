"""A training with checkpoints, one process of which is killed, or hangs, in the middle of a step."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.nn.parallel import DistributedDataParallel

import adamas
from adamas.distributed import gathering
from adamas.engines.batch import Batch

from .models import full, sharded, whole

UNTIL, EVERY, FATAL = 8, 3, 5  # steps; steps between checkpoints; the step in which one process ends
LOST = 2


def _make(kind: str) -> tuple[nn.Module, adamas.Optimizer]:
    choices: dict[str, Any] = {"lr": 0.01, "clip_norm": 0.5, "state_format": "int8"}
    if kind == "fsdp":
        model = sharded()
        return model, adamas.AdamW(model.named_parameters(), **choices)
    # Without it DDP forms new buckets after the first step, and so sums in another order in the first after a restart.
    model = DistributedDataParallel(whole(), find_unused_parameters=True)
    parameters = model.module.named_parameters()
    return model, adamas.distributed.ZeRO1(adamas.AdamW, parameters, bucket_bytes=5_000, **choices)


def _state(model: nn.Module, optimizer: adamas.Optimizer) -> dict[str, Any]:
    return {"model": get_model_state_dict(model), "optimizer": get_optimizer_state_dict(model, optimizer)}


def _resume(folder: Path, model: nn.Module, optimizer: adamas.Optimizer) -> int:
    """Load the last checkpoint that is complete, return its step."""
    steps = [int(each.parent.name) for each in folder.glob("*/.metadata")]
    if not steps:
        return 0
    state = _state(model, optimizer)
    dcp.load(state, checkpoint_id=folder / str(max(steps)))
    set_model_state_dict(model, state["model"])
    set_optimizer_state_dict(model, optimizer, state["optimizer"])
    return max(steps)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    time.sleep(10)  # longer than the others wait; then it finds that they are gone


def _before(owner: Any, name: str, number: int, what: Callable[[], None]) -> None:
    """Do something before the n-th call of a method."""
    plain, calls = getattr(owner, name), [0]

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            what()
        return plain(self, *arguments, **named)

    setattr(owner, name, call)


def train(kind: str, folder: str, end: str = "") -> dict[str, Any]:
    """Train from the last checkpoint on; return the step that was gone on from, and a digest of weights and state."""
    model, optimizer = _make(kind)
    first = _resume(Path(folder), model, optimizer)
    rank = dist.get_rank()
    for step in range(first, UNTIL):
        if end and rank == LOST and step == FATAL:
            what = _hang if end == "hang" else _die
            # With ZeRO-1 between two buckets, with FSDP2 when norms are known and some weights are about to be stepped.
            _before(gathering._Bucket, "send", 2, what) if kind == "zero" else _before(Batch, "run", 1, what)
        with adamas.distributed.together():
            x = torch.randn(5, 7, generator=torch.Generator().manual_seed(100 * step + rank))
            model(x).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            if (step + 1) % EVERY == 0:
                dcp.save(_state(model, optimizer), checkpoint_id=Path(folder) / str(step + 1))
    digest = hashlib.blake2b()
    for p in model.parameters():
        for x in (p, *optimizer.state[p].values()):
            digest.update(full(x).detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return {"first": first, "digest": digest.hexdigest()}
