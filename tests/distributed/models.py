"""A model in pieces beside the same one whole, and gradients for both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

import adamas

# Rows that 2, 3 and 4 processes share evenly, unevenly, and not at all: the last weight leaves some with nothing.
SIZES = ((7, 33), (33, 130), (130, 3), (3, 256))


def said_of(call: Callable[[], object]) -> str:
    """Return the error of a call, with its kind; "nothing" if there is none."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def mesh() -> DeviceMesh:
    """Return all processes in a row."""
    return init_device_mesh("cpu", (dist.get_world_size(),))


def whole(dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return the model, the same in all processes."""
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(a, b), nn.Tanh()) for a, b in SIZES]
    return nn.Sequential(*layers).to(dtype)


def sharded(dtype: torch.dtype = torch.float32, over: DeviceMesh | None = None) -> nn.Module:
    """Return the model cut by FSDP2, layer by layer."""
    model = whole(dtype)
    over = over or mesh()
    for layer in model.children():
        fully_shard(layer, mesh=over)
    fully_shard(model, mesh=over)
    return model


def gradients(model: nn.Module, step: int) -> list[torch.Tensor]:
    """Return gradients of the shapes of a whole model, the same in all processes."""
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=generator).to(p.dtype) * 0.1 for p in model.parameters()]


def give(model: nn.Module, grads: Iterable[torch.Tensor]) -> None:
    """Set gradients, cut as the parameters are."""
    for p, grad in zip(model.parameters(), grads, strict=True):
        p.grad = cut(grad, p).requires_grad_(False) if isinstance(p, DTensor) else grad.clone()


def cut(x: torch.Tensor, like: DTensor) -> DTensor:
    """Return a tensor that all processes have, cut as another one is."""
    return distribute_tensor(x, like.device_mesh, like.placements, src_data_rank=None)


def full(x: Any) -> Any:
    """Return a DTensor as a whole tensor, anything else as it is."""
    return x.full_tensor() if isinstance(x, DTensor) else x


def differences(one: nn.Module, first: adamas.Optimizer, other: nn.Module, second: adamas.Optimizer) -> list[str]:
    """Return the names of weights and states of which a bit differs."""
    found = []
    for (name, p), q in zip(one.named_parameters(), other.parameters(), strict=True):
        pairs = {"weight": (p, q), **{key: (value, second.state[q].get(key)) for key, value in first.state[p].items()}}
        empty = {key for key, value in second.state[q].items() if not value.numel()} - set(first.state[p])  # no blocks
        if set(first.state[p]) != set(second.state[q]) - {key for key in empty if key.endswith("_scale")}:
            found.append(f"{name} has {sorted(second.state[q])}, not {sorted(first.state[p])}")
        for key, (a, b) in pairs.items():
            a, b = (cut(a, b).to_local(), b.to_local()) if isinstance(b, DTensor) else (a, b)
            if a.dtype != b.dtype or not (torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())):
                found.append(f"{name}: {key}")
    return found


def rows_only(state_format: str) -> Any:
    """Return the ``state_format`` of whole parameters that is that of cut ones: vectors have no blocks."""
    return {"*.bias": "float32", "*": state_format} if state_format in ("int8", "int4") else state_format
