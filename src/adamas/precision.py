"""The float32 weights of a model whose 16-bit weights keep their other bits in the optimizer's state."""

from __future__ import annotations

from typing import Any

import torch

from adamas.checkpoint.models import check_model
from adamas.engines.launch import as_real
from adamas.rounding import LOW, Dice, Rounding, rounding_for
from adamas.shards import is_sharded, local, piece_of

_NO_DICE = Dice(0, 0, 0)  # splitting rounds nothing at random


def full_precision_state_dict(optimizer: Any, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return ``model.state_dict()`` in float32. See `adamas.Optimizer.full_precision_state_dict`."""
    splits = _splits(optimizer)
    weights = dict(model.named_parameters(remove_duplicate=False))
    full = {}
    for name, value in model.state_dict().items():
        p = weights.get(name)
        rounding, low = splits.get(p, (None, None)) if p is not None else (None, None)
        if p is not None and rounding is not None and low is not None:
            cut = optimizer._how(p)
            if cut is None:
                full[name] = rounding.read(p.detach(), low, torch.float32).clone()
            else:
                shard = cut.wrap(rounding.read(piece_of(p, cut), local(low), torch.float32).clone(), cut.shape)
                full[name] = shard if is_sharded(p) else shard.full_tensor()  # as the model has it
        else:
            full[name] = value.detach().float() if _is_short(value) else value.detach().clone()
    return full


def load_full_precision_state_dict(optimizer: Any, model: torch.nn.Module, full: dict[str, torch.Tensor]) -> None:
    """Load float32 weights. See `adamas.Optimizer.load_full_precision_state_dict`."""
    report = check_model(model, {"state": full})
    if report:
        raise ValueError(
            f"these are not the weights of this model: missing {list(report.missing)}, unexpected "
            f"{list(report.unexpected)}, of another shape {list(report.unfit)}; nothing was loaded"
        )
    model.load_state_dict(full)  # 16-bit weights rounded to nearest, as torch does
    splits = _splits(optimizer)
    with torch.no_grad():
        for name, p in model.named_parameters():
            rounding, low = splits.get(p, (None, None))
            if rounding is not None and rounding.low is not None:
                cut = optimizer._how(p)
                piece = piece_of(p, cut)
                if low is None:
                    low = torch.zeros_like(piece, dtype=rounding.low, memory_format=torch.preserve_format)
                    low = low if cut is None else cut.wrap(low, cut.shape)
                value = full[name] if cut is None else cut.take(full[name])
                rounding.write(piece, value.to(p.device), _NO_DICE, local(low))
                optimizer.state[p][LOW] = low


def _is_short(value: torch.Tensor) -> bool:
    return value.dtype in (torch.bfloat16, torch.float16)


def _splits(optimizer: Any) -> dict[torch.Tensor, tuple[Rounding, torch.Tensor | None]]:
    """Return, for every parameter whose weight is split, how and its bits below, if it has any yet."""
    found = {}
    for group in optimizer.param_groups:
        for p in group["params"]:
            rounding = rounding_for(group["rounding"], p.dtype.to_real(), [])
            if rounding.low is not None and as_real(p) is p:
                found[p] = (rounding, optimizer.state[p].get(LOW) if p in optimizer.state else None)
    return found
