"""Statistics of a step: the compiled ones are those of the reference to the bit, and both are what float64 says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas.engines.launch import as_real
from adamas.engines.plan import Plan
from adamas.engines.statistics import Reading, Sums
from adamas.planning import make_plan

from ..core.catalog import CASES, DTYPES, LAYOUTS, Case, at, placed, same_bits
from ..core.test_engines import CASE_IDS, ISAS
from ..core.test_few_bits import gradients

ADAM = Case("Adam", "AdamW", {"weight_decay": 0.1})


def look(case: Case, weights: list[torch.Tensor], grads: list[torch.Tensor], **more: Any) -> list[list[Reading]]:
    """Step copies of the weights through the gradients; return what every step was seen to do."""
    engine = more.get("engine")
    params = [placed(w, engine).requires_grad_() for w in weights]
    optimizer = case.make(params, **more)
    seen = []
    for grad in grads:
        for p in params:
            p.grad = at(grad.to(p.dtype).reshape(p.shape), engine)
        seen.append(stepped(optimizer))
    return seen


@torch.no_grad()
def stepped(optimizer: adamas.Optimizer) -> list[Reading]:
    """Take one step that is looked at."""
    rules = [optimizer.rule(group) for group in optimizer.param_groups]
    plan: Plan = make_plan(optimizer.param_groups, rules, optimizer.state, {})
    grads = plan.grads(optimizer.param_groups, optimizer.rule, optimizer.state)
    assert grads is not None
    plan.look = True
    plan.run(grads, 1.0)
    return plan.readings()


def same(case: Case, weights: list[torch.Tensor], grads: list[torch.Tensor], **more: Any) -> None:
    """Check that both engines see the same."""
    expected, actual = (look(case, weights, grads, engine=engine, **more) for engine in ("reference", "cpu"))
    for ours, theirs in zip(actual, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            wide = torch.tensor([a.sums, b.sums], dtype=torch.float64)
            assert same_bits(wide[0], wide[1]), dict(zip(Sums._fields, zip(a.sums, b.sums, strict=True), strict=True))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_every_rule(case: Case, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    same(case, [torch.randn(5, 1001).to(dtype), torch.randn(5, 1001).to(dtype)], gradients((5, 1001), dtype))


@pytest.mark.parametrize("state_format", ["float32", "bfloat16", "int8", "int4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24", "split32"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(3, 1037), (5, 1024)], ids=str)
def test_every_format_and_rounding(
    shape: tuple[int, int], dtype: torch.dtype, rounding: str, state_format: str
) -> None:
    torch.manual_seed(1)
    grads = [1e-3 * g for g in gradients(shape, dtype)]
    same(ADAM, [torch.randn(shape).to(dtype)], grads, state_format=state_format, rounding=rounding, lr=1e-4)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("state_format", ["float32", "int8", "int4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24"])
def test_registers_on_every_instruction_set(
    rounding: str,
    state_format: str,
    isa: str,
    on_isa: None,
) -> None:
    torch.manual_seed(7)
    for dtype in (torch.float32, torch.bfloat16):
        for shape in ((37, 256), (29, 300)):
            grads = [1e-3 * g for g in gradients(shape, dtype)]
            same(ADAM, [torch.randn(shape).to(dtype)], grads, state_format=state_format, rounding=rounding, lr=1e-4)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24"])
@pytest.mark.parametrize("state_format", ["float32", "int8"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, state_format: str, rounding: str) -> None:
    torch.manual_seed(2)
    w = LAYOUTS[layout]((3, 7, 5, 6), torch.bfloat16)
    w.copy_(torch.randn(3, 7, 5, 6))
    same(ADAM, [w], gradients((3, 7, 5, 6), torch.bfloat16), state_format=state_format, rounding=rounding)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("isa", ISAS)
def test_neither_threads_nor_instruction_set_matter(isa: str, threads: int, on_isa: None, team: None) -> None:
    torch.manual_seed(3)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        same(ADAM, [torch.randn(50_001).to(dtype)], gradients((50_001,), dtype, 2))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("state_format", ["int8", "int4"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_units_that_reach_over_blocks(
    dtype: torch.dtype,
    state_format: str,
    isa: str,
    threads: int,
    on_isa: None,
    team: None,
) -> None:
    """Elements count in the block that they are in, whichever thread steps them; what fills up a row's end does not."""
    torch.manual_seed(8)
    for shape in ((40, 1037), (1400, 27), (4, 10_000)):
        same(ADAM, [torch.randn(shape).to(dtype)], gradients(shape, dtype, 2), state_format=state_format)


@given(st.integers(0, 1100), st.sampled_from(("int8", "float32")), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_any_size(numel: int, state_format: str, seed: int) -> None:
    torch.manual_seed(seed)
    same(ADAM, [torch.randn(numel)], gradients((numel,), torch.float32, 2), state_format=state_format)


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_they_are_what_float64_says(case: Case, engine: str) -> None:
    """Everything again from what the step left behind: weights, gradients and slots before and after it."""
    torch.manual_seed(4)
    p = (0.1 * torch.randn(40, 77)).requires_grad_()
    optimizer = case.make([p], engine=engine)
    group = optimizer.param_groups[0]
    for grad in gradients((40, 77), torch.float32, 4):
        p.grad = 1e-2 * grad
        x, old = p.detach().double(), slots_of(optimizer, p)
        (reading,) = stepped(optimizer)
        y, new = p.detach().double(), slots_of(optimizer, p)
        g = p.grad.double() * (-1 if group["maximize"] else 1)
        decay = group.get("weight_decay", 0.0)
        keep = 1 - group["lr"] * decay if group.get("decoupled_weight_decay") else 1.0
        g = g if keep != 1 or case.rule == "Lion" else g + decay * x
        keep = 1 - group["lr"] * decay if case.rule == "Lion" else keep
        u = keep * x - y
        s, lr = reading.sums, reading.h.lr
        assert s.gradient == close(g * g)
        assert s.update == pytest.approx((u * u).sum().item(), rel=1e-4)
        assert s.weight == close(x * x)
        assert s.largest == pytest.approx(g.abs().max().item(), rel=1e-6)
        assert s.nonfinite == 0
        assert s.lost <= s.moved <= p.numel()
        assert s.moved == pytest.approx((u.abs() > 0).sum().item(), abs=s.lost + 3)
        assert s.large == pytest.approx((u.abs() > 0.9 * lr).sum().item(), abs=3)
        if reading.first is not None:
            m = old.get(reading.first.slot, torch.zeros_like(x))
            assert s.along == pytest.approx((g * m).sum().item(), rel=1e-5, abs=1e-6 * (g * m).abs().sum().item())
        if reading.second is not None:
            v = new[reading.second.slot]
            mean = v * reading.second.unbias
            assert s.second == close(v)
            assert s.ratio == close(g * g / mean.clamp_min(group["eps"] ** 2), 1e-5)
            assert s.alive == (v > 0).sum().item()
            assert s.under == ((v > 0) & (mean.sqrt() < 10 * group["eps"])).sum().item()


def close(terms: torch.Tensor, rel: float = 1e-5) -> Any:
    return pytest.approx(math.fsum(terms.flatten().tolist()), rel=rel)


def slots_of(optimizer: adamas.Optimizer, p: torch.Tensor) -> dict[str, torch.Tensor]:
    slots, state = optimizer.rule(optimizer.param_groups[0]).slots, optimizer.state[p]
    return {slot.name: state[slot.name].double().clone() for slot in slots if slot.name in state}


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("eps", [1e-3, 1e-8])
def test_roots_under_eps(eps: float, engine: str) -> None:
    grad = torch.tensor([1.0, 1e-2 * 0.9999, 1e-2 * 1.0001, 1e-4, 0.0])
    (reading,) = look(Case("Adam", "AdamW", {"eps": eps}), [torch.ones(5)], [grad], engine=engine)[0]
    assert (reading.sums.alive, reading.sums.under) == (4, 2 if eps == 1e-3 else 0)


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24", "split32"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_lost_updates_are_those_that_the_weight_does_not_show(dtype: torch.dtype, rounding: str, engine: str) -> None:
    torch.manual_seed(5)
    p = torch.nn.Parameter((0.02 * torch.randn(4000)).to(dtype))
    optimizer = adamas.AdamW([p], lr=3e-5, weight_decay=0.0, rounding=rounding, state_format="float32", engine=engine)
    full = torch.nn.Linear(1, 1)
    full.weight = p
    for _ in range(3):
        p.grad = torch.randn(4000).to(dtype)
        before = optimizer.full_precision_state_dict(full)["weight"] if p.dtype != torch.float64 else p.detach().clone()
        (reading,) = stepped(optimizer)
        after = optimizer.full_precision_state_dict(full)["weight"] if p.dtype != torch.float64 else p.detach().clone()
        short = dtype in (torch.bfloat16, torch.float16)
        still = 4000 - reading.sums.moved  # m of 16-bit gradients can be exactly 0
        expected = 0 if short and rounding == "stochastic" else (before == after).sum().item() - still
        assert reading.sums.lost == expected
        assert still < 10
        assert expected > 1000 or dtype != torch.bfloat16 or rounding != "nearest"


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_gradients_that_are_not_finite_are_counted(bad: float, engine: str) -> None:
    grad = torch.ones(5000)
    grad[4097] = bad
    grad[7] = bad
    (reading,) = look(ADAM, [torch.ones(5000)], [grad], engine=engine)[0]
    assert reading.sums.nonfinite == 2
    assert reading.sums.largest == (1.0 if math.isnan(bad) else math.inf)


def odd_numbers(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return numbers among which are those that an engine may treat in its own way: no numbers, zeros, denormals."""
    x = gradients(shape, torch.float32, 1)[0].flatten()
    x[::97] = torch.tensor([0.0, -0.0, 1e-39, -1e-39, math.inf, math.nan, 1e-20]).repeat(len(x))[: len(x[::97])]
    return x.reshape(shape).to(dtype)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("state_format", ["float32", "bfloat16", "int8", "int4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_looking_changes_no_bit(
    dtype: torch.dtype,
    rounding: str,
    state_format: str,
    isa: str,
    on_isa: None,
) -> None:
    results = []
    for looked in (True, False):
        torch.manual_seed(6)
        params = [odd_numbers(shape, dtype).requires_grad_() for shape in ((3, 4096), (41, 601), (31,))]
        optimizer = adamas.AdamW(params, lr=1e-3, weight_decay=0.1, rounding=rounding, state_format=state_format)
        for _ in range(3):
            for p in params:
                p.grad = odd_numbers(p.shape, dtype)
            stepped(optimizer) if looked else optimizer.step()
        kept = [x for p in params for x in optimizer.state[p].values() if isinstance(x, torch.Tensor)]
        results.append([p.detach() for p in params] + kept)
    assert len(results[0]) == len(results[1]) > 6
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a.contiguous().view(-1).view(torch.uint8), b.contiguous().view(-1).view(torch.uint8))


def test_complex_numbers() -> None:
    w = torch.randn(30, dtype=torch.complex64)
    grads = [torch.randn(30, dtype=torch.complex64) for _ in range(2)]
    same(ADAM, [w], grads)
    (reading,) = look(ADAM, [w], grads)[1]
    assert reading.sums.gradient == close(as_real(grads[1]).double() ** 2)
