"""What processes do together in tests of distributed checkpoints: train, save, load, train on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.nn.parallel import DistributedDataParallel

import adamas
from adamas.shards import local

from .models import differences, give, gradients, rows_only, sharded, whole

FORMATS: dict[str, tuple[torch.dtype, dict[str, Any]]] = {
    "float32": (torch.float32, {}),
    "bfloat16": (torch.bfloat16, {}),
    "int8": (torch.float32, {"state_format": "int8"}),
    "int4": (torch.float32, {"state_format": "int4"}),
    "split24": (torch.bfloat16, {"state_format": "int8", "rounding": "split24"}),
}
BEFORE, AFTER = 2, 2


def make(kind: str, form: str) -> tuple[nn.Module, adamas.Optimizer]:
    """Return a model and its optimizer: cut by FSDP2 or copies under DDP with ZeRO-1."""
    dtype, choices = FORMATS[form]
    choices = {"lr": 0.01, **choices}
    if kind == "fsdp":
        model = sharded(dtype)
        return model, adamas.AdamW(model.named_parameters(), **choices)
    model = DistributedDataParallel(whole(dtype))
    return model, adamas.distributed.ZeRO1(adamas.AdamW, model.module.named_parameters(), **choices)


def steps(model: nn.Module, optimizer: adamas.Optimizer, first: int, count: int) -> None:
    """Take steps with gradients that do not depend on how many processes there are."""
    shapes = whole(next(model.parameters()).dtype)
    for step in range(first, first + count):
        give(model, gradients(shapes, step))
        optimizer.step()
        optimizer.zero_grad()


def _state(model: nn.Module, optimizer: adamas.Optimizer) -> dict[str, Any]:
    return {"model": get_model_state_dict(model), "optimizer": get_optimizer_state_dict(model, optimizer)}


def save(kind: str, folder: str) -> None:
    """Train for some steps, save."""
    for form in FORMATS:
        model, optimizer = make(kind, form)
        steps(model, optimizer, 0, BEFORE)
        dcp.save(_state(model, optimizer), checkpoint_id=Path(folder) / form)


def go_on(kind: str, folders: dict[str, list[str]]) -> list[str]:
    """Load checkpoints, train on, and return where a bit differs from a training that nothing disturbed.

    Args:
        kind: how the model is cut.
        folders: for each format those to load.
    """
    wrong = []
    for form, places in folders.items():
        dtype, choices = FORMATS[form]
        one = whole(dtype)
        alone = {**choices, "state_format": rows_only(choices.get("state_format", "auto"))}
        first = adamas.AdamW(one.named_parameters(), lr=0.01, **alone)
        steps(one, first, 0, BEFORE + AFTER)
        for folder in places:
            model, optimizer = make(kind, form)
            with torch.no_grad():
                for p in model.parameters():
                    local(p).zero_()
            state = _state(model, optimizer)
            dcp.load(state, checkpoint_id=Path(folder) / form)
            set_model_state_dict(model, state["model"])
            set_optimizer_state_dict(model, optimizer, state["optimizer"])
            steps(model, optimizer, BEFORE, AFTER)
            wrong += [f"{form} from {Path(folder).name}: {x}" for x in differences(one, first, model, optimizer)]
    return wrong


def whole_dicts(folder: str) -> list[str]:
    """From one process with blocks in vectors to several, and back to one, as full state dicts."""
    wrong = []
    options = StateDictOptions(full_state_dict=True)
    for form, (dtype, choices) in FORMATS.items():
        one = whole(dtype)
        first = adamas.AdamW(one.named_parameters(), lr=0.01, **choices)
        steps(one, first, 0, BEFORE)
        for kind in ("fsdp", "zero"):
            model, optimizer = make(kind, form)
            set_model_state_dict(model, get_model_state_dict(one), options=options)
            set_optimizer_state_dict(model, optimizer, get_optimizer_state_dict(one, first), options=options)
            steps(model, optimizer, BEFORE, AFTER)
            back = whole(dtype)
            third = adamas.AdamW(back.named_parameters(), lr=0.01, **choices)
            set_model_state_dict(back, get_model_state_dict(model, options=options))
            set_optimizer_state_dict(back, third, get_optimizer_state_dict(model, optimizer, options=options))
            wrong += [f"{form} {kind}: {x}" for x in differences(back, third, model, optimizer)]
    return wrong


def nothing_happens(kind: str) -> list[str]:
    """The step with lr = 0 by which torch makes an optimizer allocate its state."""
    wrong = []
    for form in FORMATS:
        model, optimizer = make(kind, form)
        before = [local(p).detach().clone() for p in model.parameters()]
        get_optimizer_state_dict(model, optimizer)
        for (name, p), x in zip(model.named_parameters(), before, strict=True):
            if not torch.equal(local(p).view(torch.uint8), x.view(torch.uint8)):
                wrong.append(f"{form} {name}")
            if not optimizer.state[p]:
                wrong.append(f"{form} {name} has no state")
    return wrong


def plain_to_sharded(folder: str) -> str:
    """A checkpoint of whole int8 moments, loaded into those of FSDP2 tensor by tensor: what is said."""
    one = whole()
    first = adamas.AdamW(one.named_parameters(), lr=0.01, state_format="int8")
    steps(one, first, 0, BEFORE)
    dcp.save({"optimizer": get_optimizer_state_dict(one, first)}, checkpoint_id=folder)
    model, optimizer = make("fsdp", "int8")
    state = {"optimizer": get_optimizer_state_dict(model, optimizer)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.load(state, checkpoint_id=folder)
            set_optimizer_state_dict(model, optimizer, state["optimizer"])
    except CheckpointException as error:
        return str(error)
    return "nothing"
