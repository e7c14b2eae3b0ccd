"""What processes do together in tests of ZeRO-1: each returns what was wrong, or what it saw."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import adamas
from adamas.distributed import gathering
from adamas.engines.batch import Batch
from adamas.shards import local

from ..core.catalog import CASES
from .models import differences, give, gradients, rows_only, said_of, sharded, whole

STEPS = 4
ADAMW = next(case for case in CASES if case.optimizer == "AdamW")
SMALL = 5_000  # bytes of a bucket: the model fills a few of them


def shared(case: Any, model: nn.Module, **choices: Any) -> adamas.Optimizer:
    """Return the optimizer of a case with its moments shared out."""
    cls = getattr(adamas, case.optimizer)
    return adamas.distributed.ZeRO1(
        cls, list(model.named_parameters()), bucket_bytes=SMALL, **{**case.kwargs, **choices}
    )


def compare(dtype: torch.dtype, case: Any, **choices: Any) -> list[str]:
    """Return where shared steps differ from those of one process."""
    one, other = whole(dtype), whole(dtype)
    alone = {**choices, "state_format": rows_only(choices.get("state_format", "auto"))}
    first, second = case.make(list(one.named_parameters()), **alone), shared(case, other, **choices)
    for step in range(STEPS):
        for model, optimizer in ((one, first), (other, second)):
            give(model, gradients(one, step))
            optimizer.step()
    return differences(one, first, other, second)


def every_rule_and_format() -> list[str]:
    """With 4 processes every rule; with 2 the formats and roundings alone."""
    wrong = []
    for case in CASES if dist.get_world_size() > 2 else [ADAMW]:
        for form in ("auto", "int8", "int4"):
            wrong += [f"{case} {form}: {x}" for x in compare(torch.float32, case, state_format=form)]
    for rounding in ("nearest", "stochastic", "split24", "split32"):
        for form in ("auto", "int8"):
            choices = {"rounding": rounding, "state_format": form}
            wrong += [f"{choices}: {x}" for x in compare(torch.bfloat16, ADAMW, **choices)]
    return wrong


class Scaled(nn.Module):
    """The model, and a single number that all processes step alike."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.scale = whole(), nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.inner(x)


def trained() -> list[str]:
    """Backward through DDP, with a schedule; half way the optimizer and its model are copied, and the copies go on."""
    one, wrapped = Scaled(), Scaled()
    choices: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.1}
    first = adamas.AdamW(one.named_parameters(), **choices)
    second = adamas.distributed.ZeRO1(adamas.AdamW, wrapped.named_parameters(), bucket_bytes=SMALL, **choices)
    rank, size = dist.get_rank(), dist.get_world_size()
    for half in range(2):
        if half:
            wrapped, second = deepcopy((wrapped, second))
        other = DistributedDataParallel(wrapped)
        schedulers = [torch.optim.lr_scheduler.StepLR(each, 2, gamma=0.5) for each in (first, second)]
        for step in range(3):
            x = torch.randn(size, 5, 7, generator=torch.Generator().manual_seed(3 * half + step))
            other(x[rank]).square().mean().backward()
            give(one, [p.grad for p in wrapped.parameters() if p.grad is not None])
            for optimizer, scheduler in zip((first, second), schedulers, strict=True):
                optimizer.step()
                scheduler.step()
            second.zero_grad()
    return differences(one, first, wrapped, second)


def guarded() -> list[str]:
    one, other = whole(), whole()
    choices: dict[str, Any] = {"lr": 0.01, "clip_norm": 0.3, "clip_update": 0.5, "nonfinite": "skip"}
    first = adamas.AdamW(one.named_parameters(), **choices)
    second = adamas.distributed.ZeRO1(adamas.AdamW, other.named_parameters(), **choices)
    wrong = []
    for step in range(STEPS):
        for model, optimizer in ((one, first), (other, second)):
            grads = gradients(one, step)
            if step == 2:
                grads[0][-1, -1] = torch.nan
            give(model, grads)
            optimizer.step()
        for p, q in zip(one.parameters(), other.parameters(), strict=True):
            if not torch.allclose(p, q, rtol=2**-22, atol=2**-40):
                wrong.append(f"step {step}: weights differ by {(p - q).abs().max()}")
    if (first.skipped, second.skipped) != (1, 1):
        wrong.append(f"skipped {first.skipped} and {second.skipped}")
    return wrong


def balance() -> dict[str, Any]:
    """Bytes of state here, as there is and as it is reported."""
    found = {}
    for form in ("auto", "bfloat16", "int8", "int4"):
        model = nn.Sequential(nn.Linear(256, 512), nn.Linear(512, 257), nn.Linear(257, 128))
        optimizer = adamas.distributed.ZeRO1(adamas.AdamW, model.named_parameters(), state_format=form)
        give(model, gradients(model, 0))
        optimizer.step()
        here = sum(local(x).nbytes for state in optimizer.state.values() for k, x in state.items() if k != "step")
        found[form] = {"bytes": here, "report": adamas.memory_report(optimizer).now.states - 4 * 6}
    return found


def overlapped() -> dict[str, Any]:
    """The order in which buckets are stepped, sent and put in place."""
    events: list[str] = []

    def told(owner: Any, name: str, word: str) -> None:
        plain = getattr(owner, name)

        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            events.append(word)
            return plain(self, *arguments, **named)

        setattr(owner, name, call)

    model = whole()
    optimizer = adamas.distributed.ZeRO1(adamas.AdamW, model.named_parameters(), bucket_bytes=SMALL)
    give(model, gradients(model, 0))
    optimizer.step()
    for owner, name, word in (
        (Batch, "run", "step"),
        (gathering._Bucket, "send", "send"),
        (gathering._Bucket, "unpack", "put"),
    ):
        told(owner, name, word)
    plan = optimizer._plan
    optimizer.step()
    return {"events": events, "kept": optimizer._plan is plan}


def exchanged() -> list[str]:
    """A whole state dict goes in; what comes out goes whole into the optimizer of one process."""
    one, wrong = whole(), []
    first = adamas.AdamW(one.named_parameters(), state_format="int8")
    give(one, gradients(one, 0))
    first.step()
    other = whole()
    other.load_state_dict(one.state_dict())
    second = adamas.distributed.ZeRO1(adamas.AdamW, other.named_parameters(), state_format="int8")
    report = second.load_state_dict(first.state_dict())
    if report:
        wrong.append(str(report))
    for (name, p), q in zip(one.named_parameters(), other.parameters(), strict=True):
        for key, value in first.state[p].items():
            mine = second.state[q].get(key)
            mine = mine.full_tensor() if isinstance(mine, DTensor) else mine
            if name.endswith("bias") and key != "step":  # a vector: from blocks to float32
                if key in ("exp_avg", "exp_avg_sq") and (mine is None or mine.dtype != torch.float32):
                    wrong.append(f"{name} {key} {mine}")
            elif mine is None or not torch.equal(mine, value):
                wrong.append(f"{name} {key}")
    third = adamas.AdamW(one.named_parameters())
    packed = second.state_dict()
    packed["state"] = {
        key: {k: v.full_tensor() if isinstance(v, DTensor) else v for k, v in state.items()}
        for key, state in packed["state"].items()
    }
    third.load_state_dict(packed)
    for model, optimizer in ((one, third), (other, second)):
        give(model, gradients(one, 1))
        optimizer.step()
    return wrong + differences(one, third, other, second)


def refused() -> dict[str, str]:
    said = {}

    def attempt(name: str, call: Any) -> None:
        said[name] = said_of(call)

    model = whole()
    zero = adamas.distributed.ZeRO1
    attempt("dtensor", lambda: zero(adamas.AdamW, sharded().parameters()))
    attempt("keyword", lambda: zero(adamas.AdamW, model.parameters(), weigth_decay=0.1))
    attempt("bucket", lambda: zero(adamas.AdamW, model.parameters(), bucket_bytes=0))
    attempt("release", lambda: zero(adamas.AdamW, model.parameters()).release(model))
    words = nn.Embedding(10, 3, sparse=True)
    words(torch.tensor([1])).sum().backward()
    attempt("sparse", lambda: zero(adamas.AdamW, words.parameters()).step())
    return said
