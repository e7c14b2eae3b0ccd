"""The Triton engine gives the reference's bits: every rule, dtype, format, rounding and layout.

In the interpreter, or on a GPU (``make gpu-test``); the reference's on the CPU in either case.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas
from adamas.engines import triton
from adamas.rules import triton as printer

from ..core.catalog import CASES, LAYOUTS, Case, device_of, run, same_bits
from ..core.test_engines import CASE_IDS
from ..core.test_few_bits import gradients

# NumPy, which the interpreter computes with, says so where numbers overflow.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

ADAM = Case("Adam", "AdamW", {"weight_decay": 0.1})
SHORT = (torch.bfloat16, torch.float16)


def both(case: Case, weight: torch.Tensor, grads: list[torch.Tensor], **more: Any) -> None:
    """Assert that the two engines agree to the bit in weight and state."""
    weight_a, state_a = run(case, weight, grads, engine="reference", **more)
    weight_b, state_b = run(case, weight, grads, engine="triton", **more)
    assert same_bits(weight_a, weight_b)
    assert state_a.keys() == state_b.keys()
    for key, value in state_a.items():
        assert value.dtype == state_b[key].dtype
        assert same_bits(value, state_b[key]), key
    assert not same_bits(weight_a, weight)


def test_printed_file_is_current() -> None:
    assert printer.main(["--check"]) == 0


@pytest.mark.parametrize("state_format", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_every_rule(case: Case, state_format: str) -> None:
    torch.manual_seed(0)
    grads = [0.1 * torch.randn(700) for _ in range(3)]
    both(case, torch.randn(700), grads, state_format=state_format, rounding="nearest")
    grads = [grad.bfloat16() for grad in grads[:2]]
    both(case, torch.randn(700).bfloat16(), grads, state_format=state_format, seed=3)


@pytest.mark.parametrize("state_format", ["int8", "int4"])
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_every_rule_in_few_bits(case: Case, state_format: str) -> None:
    torch.manual_seed(1)
    weight, grads = torch.randn(5, 300), gradients((5, 300), torch.float32, 2)
    both(case, weight, grads, state_format=state_format)


@pytest.mark.parametrize("state_format", ["auto", "float32", "int8", "int4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24", "split32"])
@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_every_rounding(dtype: torch.dtype, rounding: str, state_format: str) -> None:
    torch.manual_seed(2)
    weight = torch.randn(4, 384) * torch.exp(3 * torch.randn(4, 384))
    both(ADAM, weight.to(dtype), gradients((4, 384), dtype, 2), rounding=rounding, state_format=state_format)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24", "split32"])
@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_every_number_is_kept(dtype: torch.dtype, rounding: str) -> None:
    numbers = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).view(dtype)
    p = torch.nn.Parameter(numbers.to(device_of("triton"), copy=True))
    p.grad = torch.zeros_like(p)
    adamas.SGD([p], lr=1.0, rounding=rounding, engine="triton").step()
    assert same_bits(p.detach(), numbers)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24", "split32"])
@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_rounding_from_one_end_of_the_numbers_to_the_other(dtype: torch.dtype, rounding: str) -> None:
    torch.manual_seed(3)
    bits = torch.randint(-(1 << 31), 1 << 31, (20_000,), dtype=torch.int64).to(torch.int32)
    near = torch.randn(20_000) * 2.0 ** torch.randint(-26, 17, (20_000,))  # float16's
    for values in (bits.view(torch.float32), near):
        results = []
        for engine in ("reference", "triton"):
            p = torch.nn.Parameter(torch.zeros(20_000, dtype=dtype, device=device_of(engine)))
            optimizer = adamas.SGD([p], lr=1.0, rounding=rounding, engine=engine, momentum=0.9, state_format="float32")
            # the momentum is what is written: a gradient has not as many bits
            optimizer.state[p]["momentum_buffer"] = (-values / torch.tensor(0.9)).to(p.device)
            p.grad = torch.zeros_like(p)
            optimizer.step()
            results.append((p.detach().cpu(), optimizer.state[p].get("weight_low", p.detach())))
        (a, low_a), (b, low_b) = results
        assert same_bits(a, b)
        assert same_bits(low_a, low_b)
        assert a.unique().numel() > 1000


@pytest.mark.parametrize("state_format", ["bfloat16", "int8", "int4"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, state_format: str) -> None:
    torch.manual_seed(4)
    shape = (3, 7, 5, 6)
    weight = LAYOUTS[layout](shape, torch.bfloat16).copy_(torch.randn(shape))
    grads = gradients(shape, torch.bfloat16, 2)
    grads[1] = LAYOUTS["transposed"](shape, torch.bfloat16).copy_(grads[1])
    rounding = "split24" if state_format == "int8" else "auto"
    both(ADAM, weight, grads, state_format=state_format, rounding=rounding)


def test_complex_and_negated() -> None:
    torch.manual_seed(5)
    grads = [torch.randn(5, 6, dtype=torch.complex64).conj(), torch.randn(6, 5, dtype=torch.complex64).t()]
    both(ADAM, torch.randn(5, 6, dtype=torch.complex64), grads)
    both(ADAM, torch.randn(20), [torch.randn(20, dtype=torch.complex64).conj().imag for _ in range(2)])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0, 1e-30, 3e38])
def test_special_gradients(value: float) -> None:
    torch.manual_seed(6)
    for case, state_format in ((ADAM, "float32"), (CASES[7], "bfloat16"), (ADAM, "int8"), (ADAM, "int4")):
        grads = [torch.randn(400), torch.randn(400)]
        grads[1][::3] = value
        both(case, torch.randn(400), [*grads, grads[0]], state_format=state_format, rounding="nearest")


SHAPES: dict[str, list[tuple[int, ...]]] = {
    "any": [(0,), (), (1,), (3, 0), *((2, n) for n in (1, 15, 16, 17, 31, 33, 64, 127, 129, 300)), (1025,), (9, 128)],
    "whole units": [(0,), (3, 0), *((n, 128) for n in range(1, 10)), (1024,)],
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("state_format", ["float32", "int8", "int4"])
def test_many_tensors_of_many_groups_in_few_launches(state_format: str, kind: str) -> None:
    torch.manual_seed(7)
    shapes = SHAPES[kind]
    weights = [torch.randn(shape) for shape in shapes]
    results, launches = [], []
    for engine in ("reference", "triton"):
        ps = [torch.nn.Parameter(w.to(device_of(engine), copy=True)) for w in weights]
        groups: list[dict[str, Any]] = [{"params": ps[:5]}, {"params": ps[5:], "lr": 0.1, "weight_decay": 0.5}]
        optimizer = adamas.AdamW(groups, engine=engine, state_format=state_format)
        for step in range(2):
            torch.manual_seed(step)
            for p in ps:
                p.grad = torch.randn(p.shape).to(p.device)
            if engine == "triton":
                step_kernel = count_launches(optimizer) if step else None
                launches.append(step_kernel)
            optimizer.step()
        results.append((ps, [optimizer.state[p] for p in ps]))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        assert same_bits(a.detach(), b.detach()), tuple(a.shape)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert all(same_bits(a[key], b[key]) for key in a)
    # Those of whole units go together, then those of which only rows begin at multiples of 16, then all others.
    assert launches[-1] == [1 if kind == "whole units" else 2 if state_format == "float32" else 3]


@pytest.mark.parametrize("state_format", ["float32", "int8"])
@pytest.mark.parametrize("by", [0, 1])
def test_operands_that_begin_anywhere(by: int, state_format: str) -> None:
    """Only where all begin at a multiple of 16 bytes, in this step, they are read and written 16 bytes at a time."""
    torch.manual_seed(8)
    weight, grads, results = torch.randn(6, 160), [torch.randn(6, 160) for _ in range(3)], []
    for engine in ("reference", "triton"):
        p = torch.nn.Parameter(shifted(weight, by, engine))
        optimizer = adamas.AdamW([p], engine=engine, state_format=state_format)
        found = []
        for place, grad in enumerate(grads):
            p.grad = shifted(grad, place % 2, engine)
            if place and engine == "triton":
                found.append(ways(optimizer))
            optimizer.step()
        results.append([p.detach(), *optimizer.state[p].values()])
    assert all(same_bits(a, b) for a, b in zip(*results, strict=True))
    assert found == [[False], [by == 0]]


def shifted(x: torch.Tensor, by: int, engine: str) -> torch.Tensor:
    """Return a copy that begins so many elements after a multiple of 16 bytes."""
    room = torch.empty(x.numel() + by, device=device_of(engine))[by:].view(x.shape)
    assert room.data_ptr() % 16 == 4 * by
    return room.copy_(x)


def ways(optimizer: adamas.Optimizer) -> list[bool]:
    """Return a list of whether the launches of the step that comes know of addresses that they are multiples of 16."""
    plan: Any = optimizer._plan
    launch, found = plan._batches[0]._launch, []
    call = type(launch)._call

    def noting(*arguments: Any, **named: Any) -> None:
        found.append(named["ALIGNED"])
        call(launch, *arguments, **named)

    launch._call = noting
    return found


def count_launches(optimizer: adamas.Optimizer) -> list[int]:
    """Return a list of one number that counts the launches of the step that comes."""
    plan: Any = optimizer._plan
    (batch,) = plan._batches
    launch, counted = batch._launch, [0]
    call = launch._call

    def counting(*arguments: Any, **named: Any) -> None:
        counted[0] += 1
        call(*arguments, **named)

    launch._call = counting
    return counted


def test_a_step_is_seen_by_autograd() -> None:
    p = torch.nn.Parameter(torch.ones(3, device=device_of("triton")))
    optimizer = adamas.AdamW([p], engine="triton")
    kept = (p * p).sum()
    p.grad = torch.ones_like(p)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.backward()


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(dtype: torch.dtype = torch.float32, device: str = "cpu") -> None:
        p = torch.nn.Parameter(torch.ones(3, dtype=dtype, device=device))
        p.grad = torch.ones_like(p)
        adamas.AdamW([("w", p)], engine="triton").step()

    with pytest.raises(RuntimeError, match=r"engine='triton' cannot step parameter 'w'.*float64"):
        step(torch.float64, device_of("triton"))
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(RuntimeError, match="it is on cpu"):
        step()
    monkeypatch.setattr(triton, "triton_installed", lambda: False)
    with pytest.raises(RuntimeError, match=r"pip install 'adamas\[triton\]'"):
        step()
