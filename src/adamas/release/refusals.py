"""What gradient release cannot work with, and why: said before anything is changed where that can be known."""

from __future__ import annotations

import gc
from typing import Any

import torch

from adamas.rules import Rule
from adamas.shards import is_sharded

SCALER = (
    "a gradient scaler decides after backward whether a step may be taken, and by what to divide the gradients; with "
    "gradient release the weights have already been changed, by gradients that were still scaled. Load the last "
    "checkpoint, and train without torch.amp.GradScaler (bfloat16 needs none) or without release()"
)

SPARSE = (
    "a sparse gradient, which gradient release does not step: it is small, and would save nothing. Use sparse=False in "
    "its nn.Embedding, or train without release()"
)


def refuse_settings(optimizer: Any, stale_clip_norm: bool, fold: bool) -> None:
    """Raise ValueError for guards and options of the optimizer that need all gradients at once."""
    guards = optimizer.guards
    if optimizer._gathering is not None:
        raise ValueError(
            "ZeRO1 and gradient release do not go together: weights are gathered bucket by bucket, and DDP averages "
            "gradients after the hooks that release() steps in. Use FSDP2, which has pieces of gradients too"
        )
    if any(group.get("capturable") for group in optimizer.param_groups):
        raise ValueError("capturable=True and gradient release do not go together: use capturable=False")
    if guards.nonfinite != "propagate":
        raise ValueError(
            f"nonfinite={guards.nonfinite!r} and gradient release do not go together: when a bad gradient shows up, "
            f"other parameters have been stepped already. Use nonfinite='propagate' and check the loss before backward"
        )
    if guards.clip_norm is not None and not stale_clip_norm:
        raise ValueError(
            "clip_norm needs the norm of all gradients, which is known when backward is over and most of them are "
            "freed (to keep them until then is what training without release() does): "
            "use clip_update, or release(..., stale_clip_norm=True) to clip with the norm of the step before"
        )
    if optimizer.defaults["differentiable"]:
        raise ValueError("differentiable=True and gradient release do not go together: autograd is in backward then")
    if fold:
        for group in optimizer.param_groups:
            _refuse_fold(optimizer.rule(group), group)


def _refuse_fold(rule: type[Rule], group: dict[str, Any]) -> None:
    if rule.fold is Rule.fold:
        raise ValueError(f"fold=True is defined for Adam and AdamW, not for {rule.__name__}: use fold=False")
    if not float(group["betas"][0]) > 0:
        raise ValueError("fold=True needs beta1 > 0: without a first moment there is nothing to fold gradients into")
    if group["clip_update"] is not None:
        raise ValueError(
            "fold=True and clip_update do not go together: the size of an update needs the squares of all parts of the "
            "gradient, and they have gone into the moment"
        )


def refuse_model(model: torch.nn.Module, names: dict[torch.Tensor, str]) -> None:
    """Raise for parameters whose gradient in the hook is not the one to step with."""
    own: set[torch.Tensor] = set(model.parameters())
    for p, name in names.items():
        if p not in own:
            raise ValueError(f"{name} is not a parameter of the model that release() was given: give the whole model")
        if type(p) not in (torch.Tensor, torch.nn.Parameter) and not is_sharded(p):
            raise ValueError(f"{name} is a {type(p).__name__}: gradient release is for plain parameters")
    if any(_is_ddp(module) for module in model.modules()) or inside_ddp(own):
        raise ValueError(
            "the model is wrapped in DistributedDataParallel, which averages gradients over processes after the hooks "
            "that release() steps in: every process would step with its own. It keeps all gradients in its buckets, so "
            "that nothing would be freed either. Use DDP without release(), or FSDP2, whose hooks come after its reduce"
        )


def inside_ddp(params: set[torch.Tensor]) -> bool:
    """Say whether any living DistributedDataParallel holds one of these parameters."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    wrappers = [each for each in gc.get_objects() if _is_ddp(each)]
    return any(p in params for wrapper in wrappers for p in wrapper.parameters())


def _is_ddp(each: Any) -> bool:
    # Not isinstance: some objects answer it with a warning, or by loading a module.
    return issubclass(type(each), torch.nn.parallel.DistributedDataParallel)
