"""What processes do together in tests of DTensors: each returns what was wrong, or what it saw."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import adamas
from adamas.guards import NonFiniteError
from adamas.shards import local

from ..core.catalog import CASES
from .models import differences, full, give, gradients, mesh, rows_only, said_of, sharded, whole

STEPS = 4
ADAMW = next(case for case in CASES if case.optimizer == "AdamW")


def compare(dtype: torch.dtype, case: Any, steps: int = STEPS, **choices: Any) -> list[str]:
    """Return where sharded steps differ from whole ones."""
    one, other = whole(dtype), sharded(dtype)
    alone = {**choices, "state_format": rows_only(choices.get("state_format", "auto"))}
    first = case.make(list(one.named_parameters()), **alone)
    second = case.make(list(other.named_parameters()), **choices)
    for step in range(steps):
        grads = gradients(one, step)
        for model, optimizer in ((one, first), (other, second)):
            give(model, grads)
            optimizer.step()
    return differences(one, first, other, second)


def every_rule_and_format() -> list[str]:
    """With 4 processes, of which some have no row of a weight; with 2 the formats alone."""
    wrong = []
    for number, case in enumerate(CASES if dist.get_world_size() > 2 else [ADAMW]):
        for form in ("auto", "bfloat16", "int8", "int4"):
            wrong += [f"{case} {form}: {x}" for x in compare(torch.float32, case, state_format=form)]
        engine = "reference" if number % 4 == 0 else "auto"
        wrong += [f"{case} bfloat16: {x}" for x in compare(torch.bfloat16, case, engine=engine)]
    return wrong


def every_rounding(engines: Sequence[str], forms: Sequence[str] = ("auto", "float32", "int8")) -> list[str]:
    wrong = []
    for dtype in (torch.bfloat16, torch.float16):
        for rounding in ("nearest", "stochastic", "split24", "split32"):
            for form in forms:
                for engine in engines:
                    found = compare(dtype, ADAMW, rounding=rounding, state_format=form, engine=engine)
                    wrong += [f"{dtype} {rounding} {form} {engine}: {x}" for x in found]
    return wrong


def on_triton() -> list[str]:
    """Steps of Triton's kernels, in its interpreter, which is slow: what is random, and one step with blocks."""
    wrong = [f"int8: {x}" for x in compare(torch.bfloat16, ADAMW, steps=1, state_format="int8", engine="triton")]
    for dtype in (torch.bfloat16, torch.float16):
        for rounding in ("stochastic", "split24"):
            found = compare(dtype, ADAMW, steps=2, rounding=rounding, state_format="float32", engine="triton")
            wrong += [f"{dtype} {rounding}: {x}" for x in found]
    return wrong


def guarded() -> list[str]:
    """Clipping by norm and by update: sums over pieces round otherwise, and the factor is the same to 2^-52 or so."""
    one, other = whole(), sharded()
    choices = {"lr": 0.01, "clip_norm": 0.3, "clip_update": 0.5, "nonfinite": "skip"}
    first, second = adamas.AdamW(one.named_parameters(), **choices), adamas.AdamW(other.named_parameters(), **choices)
    wrong = []
    for step in range(STEPS):
        for model, optimizer in ((one, first), (other, second)):
            give(model, gradients(one, step))
            optimizer.step()
        for p, q in zip(one.parameters(), other.parameters(), strict=True):
            if not torch.allclose(p, full(q), rtol=2**-22, atol=2**-40):
                wrong.append(f"step {step}: weights differ by {(p - full(q)).abs().max()}")
        a, b = first.last_step, second.last_step
        assert a is not None
        assert b is not None
        assert a.norm is not None
        assert b.norm is not None
        if abs(a.norm / b.norm - 1) > 1e-14 or any(abs(a.norms[n] / b.norms[n] - 1) > 1e-14 for n in a.norms):
            wrong.append(f"step {step}: norms {a.norm} and {b.norm}")
        wrong += [
            f"{n} {a.update_rms[n]} {b.update_rms[n]}"
            for n in a.update_rms
            if abs(a.update_rms[n] / b.update_rms[n] - 1) > 1e-12
        ]
    return wrong


def one_bad_gradient(nonfinite: str) -> dict[str, Any]:
    """A NaN in the last row of one gradient, which only one process has: what all of them do, and say."""
    model = sharded()
    optimizer = adamas.AdamW(model.named_parameters(), nonfinite=nonfinite)
    give(model, gradients(whole(), 0))
    optimizer.step()
    before = [local(p).detach().clone() for p in model.parameters()]
    grads = gradients(whole(), 1)
    grads[4][-1, 1:3] = torch.nan
    grads[4][-1, 5] = torch.inf
    give(model, grads)
    said = ""
    try:
        optimizer.step()
    except NonFiniteError as error:
        said = str(error)
    same = all(torch.equal(local(p), x) for p, x in zip(model.parameters(), before, strict=True))
    return {
        "skipped": optimizer.skipped,
        "said": said,
        "same": same,
        "step": optimizer.state[next(model.parameters())]["step"].item(),
    }


def scaled() -> list[str]:
    """A gradient scaler, of whose gradients one is infinite in the last process alone: no process takes that step."""
    one, other = whole(), sharded()
    sides = [
        (model, adamas.AdamW(model.named_parameters()), torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=2))
        for model in (one, other)
    ]
    for step in range(6):
        grads = gradients(whole(), step)
        if step == 3:
            grads[4][-1, 1] = torch.inf
        for model, optimizer, amp in sides:
            scale: Any = amp.scale(torch.ones(()))
            give(model, [grad * scale for grad in grads])
            amp.step(optimizer)
            amp.update()
    (_, first, its), (_, second, amp) = sides
    wrong = differences(one, first, other, second)
    if (second.skipped, amp.get_scale()) != (1, its.get_scale()):
        wrong.append(f"skipped {second.skipped}, scale {amp.get_scale()} instead of {its.get_scale()}")
    return wrong


def placed() -> dict[str, Any]:
    """Where state is, and how much of it: bytes of this process, of all of them, and what is no shard."""
    found: dict[str, Any] = {}
    for form in ("auto", "bfloat16", "int8", "int4"):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(256, 512), nn.Linear(512, 257), nn.Linear(257, 128))
        fully_shard(model, mesh=mesh())
        optimizer = adamas.AdamW(model.named_parameters(), state_format=form)
        give(model, [torch.randn(p.shape) for p in model.parameters()])
        optimizer.step()
        wrong, bytes_here = [], 0
        for p, state in optimizer.state_dict()["state"].items():
            owner = list(model.parameters())[p]
            for key, value in state.items():
                if key == "step" or not value.numel():  # an empty scale says that a vector has no blocks
                    continue
                if not isinstance(value, DTensor) or value.placements != owner.placements:  # type: ignore[attr-defined]
                    wrong.append(f"{key} of {p}: {type(value).__name__}")
                bytes_here += local(value).nbytes
        found[form] = {"wrong": wrong, "bytes": bytes_here, "report": adamas.memory_report(optimizer).now.states}
    return found


def calls_of(call: Callable[[], object], part: str) -> list[str]:
    """Return the Python functions that a call enters in files with ``part`` in their name."""
    seen: list[str] = []

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and part in frame.f_code.co_filename:
            seen.append(frame.f_code.co_qualname if sys.version_info >= (3, 11) else frame.f_code.co_name)

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


def steady() -> dict[str, Any]:
    """What of torch.distributed a step calls, and whether the plan is kept; then after what was changed."""
    model = sharded()
    optimizer = adamas.AdamW(model.named_parameters())
    model(torch.ones(2, 7)).sum().backward()
    optimizer.step()
    plan = optimizer._plan
    optimizer.zero_grad()
    model(torch.ones(2, 7)).sum().backward()
    called = calls_of(optimizer.step, "torch/distributed")
    kept = optimizer._plan is plan
    first = next(model.parameters())
    moved: Any = first
    moved._local_tensor = moved._local_tensor.clone()  # as FSDP2 itself does after a load
    optimizer.step()
    replaced = optimizer._plan is not plan
    version = first._version
    optimizer.step()
    here: Any = local(first)
    address = here.data_ptr()
    first.data = distribute_tensor(torch.zeros(first.shape), mesh(), [Shard(0)])  # does not reach what is local
    unreached = local(first) is here and here.data_ptr() == address
    return {
        "called": called,
        "kept": kept,
        "replaced": replaced,
        "versions": first._version - version,
        "unreached": unreached,
    }


def two_meshes() -> list[str]:
    """Tensor parallel and FSDP2 over 2 x 2 processes, FSDP2 over 4, copies and a plain tensor in one optimizer."""
    grid = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model"))
    torch.manual_seed(1)
    one = nn.ModuleDict(
        {
            "up": nn.Linear(24, 64),
            "down": nn.Linear(256, 20),
            "row": nn.Linear(9, 30),
            "copy": nn.Linear(3, 5),
            "plain": nn.Linear(4, 4),
        }
    )
    torch.manual_seed(1)
    other = nn.ModuleDict(
        {
            "up": nn.Linear(24, 64),
            "down": nn.Linear(256, 20),
            "row": nn.Linear(9, 30),
            "copy": nn.Linear(3, 5),
            "plain": nn.Linear(4, 4),
        }
    )
    parallelize_module(other, grid["model"], {"up": ColwiseParallel(), "down": RowwiseParallel()})
    for name in ("up", "down"):
        fully_shard(other[name], mesh=grid["data"])
    fully_shard(other["row"], mesh=init_device_mesh("cpu", (4,)))
    for name, p in list(other["copy"].named_parameters()):
        other["copy"].register_parameter(
            name, nn.Parameter(distribute_tensor(p.detach(), grid, [Replicate(), Replicate()]))
        )
    wrong = []
    vectors = {"up.bias": "float32", "down.bias": "float32", "row.bias": "float32", "*": "int8"}
    for choices, alone in (
        ({"clip_norm": 0.5}, {}),
        ({"state_format": "int8", "rounding": "stochastic"}, {"state_format": vectors}),
    ):
        dtype = torch.bfloat16 if "rounding" in choices else torch.float32
        for model in (one, other):
            model.to(dtype)
        first = adamas.AdamW(one.named_parameters(), lr=0.01, **{**choices, **alone})
        second = adamas.AdamW(other.named_parameters(), lr=0.01, **choices)
        for step in range(STEPS):
            for model, optimizer in ((one, first), (other, second)):
                give(model, gradients(one, step))
                optimizer.step()
        if "clip_norm" in choices:
            norms = [each.last_step.norm or 0.0 for each in (first, second) if each.last_step is not None]
            if abs(norms[0] / norms[1] - 1) > 1e-14:
                wrong.append(f"norms {norms}")
        else:
            wrong += differences(one, first, other, second)
    return wrong


def refused() -> dict[str, str]:
    """What cannot be, and what is said of it."""
    said = {}

    def attempt(name: str, call: Any) -> None:
        said[name] = said_of(call)

    def cut(dim: int, *shape: int) -> nn.Parameter:
        return nn.Parameter(distribute_tensor(torch.ones(shape), mesh(), [Shard(dim)]))

    def step(p: nn.Parameter, grad: torch.Tensor, **choices: Any) -> None:
        optimizer = adamas.AdamW([("w", p)], **choices)
        p.grad = grad
        optimizer.step()

    columns = cut(1, 4, 200)
    attempt("columns", lambda: step(columns, torch.ones_like(columns), state_format="int8"))
    rows = cut(0, 8, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attempt("differentiable", lambda: step(rows, torch.ones_like(rows), differentiable=True))
    optimizer = adamas.AdamW([rows])
    attempt("replace", lambda: optimizer.replace(rows, nn.Parameter(torch.ones(8, 4))))
    return said


def moved_gradients() -> list[str]:
    """Gradients placed otherwise than their parameters, as tensor parallel norms have: moved, and kept as they are."""
    torch.manual_seed(0)
    plain, sums = nn.Parameter(torch.ones(6, 4)), torch.randn(6, 4)
    p = nn.Parameter(distribute_tensor(torch.ones(6, 4), mesh(), [Replicate()]))
    first, second = adamas.SGD([plain], lr=0.1), adamas.SGD([p], lr=0.1)  # to which the size of gradients matters
    wrong = []
    for step in range(3):
        plain.grad = sums * dist.get_world_size() * (step + 1)
        p.grad = DTensor.from_local(sums * (step + 1), mesh(), [Partial()])
        for optimizer in (first, second):
            optimizer.step()
        if not torch.allclose(plain, full(p), rtol=2**-22):
            wrong.append(f"step {step}")
        if not p.grad.placements[0].is_partial() or not torch.equal(local(p.grad), sums * (step + 1)):
            wrong.append("its gradient was changed")
    return wrong


def trained() -> list[str]:
    """Backward through FSDP2, the doctor looking: the gradients of its reduce are given to the whole model, too."""
    one, other = whole(), sharded()
    first, second = (adamas.AdamW(model.named_parameters(), lr=0.01) for model in (one, other))
    first.diagnose_every = second.diagnose_every = 2
    rank, size = dist.get_rank(), dist.get_world_size()
    for step in range(6):
        x = torch.randn(size, 5, 7, generator=torch.Generator().manual_seed(step))
        other(x[rank]).square().mean().backward()
        give(one, [full(p.grad) for p in other.parameters()])
        for optimizer in (first, second):
            optimizer.step()
        second.zero_grad()
    wrong = differences(one, first, other, second)
    a, b = first.scalars(), second.scalars()
    wrong += [f"{key}: {a[key]} and {b.get(key)}" for key in a if abs(a[key] - b[key]) > 1e-4 * abs(a[key])]
    if [str(x) for x in first.diagnose()] != [str(x) for x in second.diagnose()]:
        wrong.append(f"{first.diagnose()} {second.diagnose()}")
    return wrong


def released() -> list[str]:
    """Gradient release through FSDP2 against steps after backward, folded and with a norm of the step before."""
    wrong = []
    ways: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({}, {}),
        ({"state_format": "int8"}, {"accumulate": 2}),
        ({"clip_norm": 0.05}, {"stale_clip_norm": True}),
    )
    for choices, how in ways:
        one, other = sharded(), sharded()
        first = adamas.AdamW(one.named_parameters(), lr=0.01, **{k: v for k, v in choices.items() if k != "clip_norm"})
        second = adamas.AdamW(other.named_parameters(), lr=0.01, **choices)
        second.release(other, **how)
        norm = None
        for step in range(4):
            for part in range(how.get("accumulate", 1)):
                x = torch.randn(5, 7, generator=torch.Generator().manual_seed(100 * step + 10 * part + dist.get_rank()))
                for model in (one, other):
                    model(x).square().mean().backward()
            if any(p.grad is not None for p in other.parameters()):
                wrong.append("a gradient was not freed")
            if "clip_norm" in choices:  # as it is documented: by the norm of the step before
                grads = [full(p.grad) for p in one.parameters()]
                clipped = 1.0 if norm is None else min(1.0, 0.05 / (norm + 1e-6))
                norm = sum(g.double().square().sum().item() for g in grads) ** 0.5
                for p in one.parameters():
                    p.grad = p.grad * clipped  # type: ignore[operator]
            first.step()
            second.step()
            first.zero_grad()
        if "clip_norm" in choices:
            for p, q in zip(one.parameters(), other.parameters(), strict=True):
                if not torch.allclose(local(p), local(q), rtol=1e-5, atol=1e-7):
                    wrong.append(f"{choices}: {(local(p) - local(q)).abs().max()}")
        else:
            same = [torch.equal(local(p), local(q)) for p, q in zip(one.parameters(), other.parameters(), strict=True)]
            wrong += [f"{choices} {how}: {same}"] if not all(same) else []
    return wrong
