"""int8 and int4 moments, split weights: both engines find the same codes for any rule, dtype, size, layout, threads."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas.engines import library

from .catalog import CASES, DTYPES, LAYOUTS, Case, run, same_bits
from .test_engines import CASE_IDS, ISAS, both

FORMATS: dict[str, Any] = {
    "int8": "int8",
    "int4": "int4",
    "mixed": {"exp_avg": "int4", "exp_avg_sq": "int8", "momentum_buffer": "int4", "square_avg": "float32"},
}
SPLITS = ("split24", "split32")
ADAM = Case("Adam", "AdamW", {"weight_decay": 0.1})


def gradients(shape: tuple[int, ...], dtype: torch.dtype, n: int = 3) -> list[torch.Tensor]:
    """Return gradients whose size spans decades within a block; the last one is zero here and there."""
    grads = [(torch.randn(shape) * torch.exp(2 * torch.randn(shape))).to(dtype) for _ in range(n)]
    grads[-1] = torch.where(torch.rand(shape) < 0.3, torch.zeros((), dtype=dtype), grads[-1])
    return grads


def known(case: Case, name: str) -> Any:
    """Return a format, without the slots that the case's rule has not."""
    chosen = FORMATS[name]
    if isinstance(chosen, str):
        return chosen
    rule = next(rule for rule in adamas.rules.COMPILED if rule.__name__ == case.rule)
    slots = {slot.name for slot in rule.slots}
    return {slot: form for slot, form in chosen.items() if slot in slots} or "int8"


@pytest.mark.parametrize("state_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_every_rule(case: Case, dtype: torch.dtype, state_format: str) -> None:
    torch.manual_seed(0)
    both(case, torch.randn(5, 300).to(dtype), gradients((5, 300), dtype), state_format=known(case, state_format))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("state_format", FORMATS)
def test_every_instruction_set(state_format: str, isa: str, restored_isa: None) -> None:
    loaded = library.load()
    assert loaded is not None
    if loaded.adamas_use_isa(isa.encode()) != 0:
        assert library.isa() in ISAS  # as in test_engines
        return
    torch.manual_seed(1)
    for dtype, rounding in ((torch.float32, "auto"), (torch.bfloat16, "auto"), (torch.bfloat16, "split24")):
        weight, grads = torch.randn(3, 1037).to(dtype), gradients((3, 1037), dtype)
        both(ADAM, weight, grads, state_format=known(ADAM, state_format), rounding=rounding)
        both(CASES[3], weight, grads, state_format="int8", rounding=rounding)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", *SPLITS])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("state_format", ["auto", "bfloat16", "int8", "int4"])
def test_every_rounding(state_format: str, dtype: torch.dtype, rounding: str) -> None:
    torch.manual_seed(2)
    both(ADAM, torch.randn(4, 384).to(dtype), gradients((4, 384), dtype), state_format=state_format, rounding=rounding)


@pytest.mark.parametrize("rounding", ["auto", "split24"])
@pytest.mark.parametrize("state_format", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, state_format: str, rounding: str) -> None:
    torch.manual_seed(3)
    shape, form = (3, 7, 5, 6), known(ADAM, state_format)
    weight = LAYOUTS[layout](shape, torch.bfloat16).copy_(torch.randn(shape))
    grads = gradients(shape, torch.bfloat16)
    both(ADAM, weight, grads, state_format=form, rounding=rounding)
    # and a layout changes no number: the same as row-major
    plain, state = run(ADAM, weight.contiguous(), grads, engine="cpu", state_format=form, rounding=rounding)
    result, own = run(ADAM, weight, grads, engine="cpu", state_format=form, rounding=rounding)
    assert same_bits(result, plain)
    assert all(same_bits(own[key], state[key]) for key in state)


@pytest.mark.parametrize("state_format", ["int8", "int4"])
def test_every_tail(state_format: str) -> None:
    torch.manual_seed(4)
    ps = [[torch.nn.Parameter(torch.full((2, n), 0.5)) for n in range(1, 301)] for _ in range(2)]
    optimizers = [
        ADAM.make(list(each), engine=engine, state_format=state_format)
        for each, engine in zip(ps, ("reference", "cpu"), strict=True)
    ]
    for _ in range(2):
        for a, b in zip(*ps, strict=True):
            a.grad = b.grad = gradients(tuple(a.shape), torch.float32, 1)[0]
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(*ps, strict=True):
        assert same_bits(a.detach(), b.detach()), tuple(a.shape)
        state, other = optimizers[0].state[a], optimizers[1].state[b]
        assert all(same_bits(state[key], other[key]) for key in state), tuple(a.shape)


@given(
    rows=st.integers(0, 40),
    length=st.integers(0, 500),
    offset=st.integers(0, 9),
    threads=st.integers(1, 4),
    dtype=st.sampled_from(DTYPES),
    case=st.sampled_from(CASES),
    state_format=st.sampled_from(["int8", "int4"]),
    rounding=st.sampled_from(["auto", *SPLITS]),
)
@settings(max_examples=100, deadline=None)
def test_any_size_alignment_and_thread_count(
    rows: int, length: int, offset: int, threads: int, dtype: torch.dtype, case: Case, state_format: str, rounding: str
) -> None:
    torch.manual_seed(rows * length)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        weight = torch.randn(rows * length + offset).to(dtype)[offset:].view(rows, length)
        grads = [grad.to(dtype) for grad in gradients((rows, length), torch.float32, 2)]
        both(case, weight, grads, state_format=state_format, rounding=rounding)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0, 1e-30, 1e-19, 1e18, 3e38])
@pytest.mark.parametrize("state_format", ["int8", "int4"])
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_special_gradients(case: Case, state_format: str, value: float) -> None:
    torch.manual_seed(5)
    grads = [torch.randn(2, 150) for _ in range(2)]
    grads[1][:, ::3] = value
    both(case, torch.randn(2, 150), [*grads, grads[0]], state_format=state_format)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("state_format", ["int8", "int4"])
def test_complex(state_format: str, dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    grads = [torch.randn(5, 60, dtype=dtype), torch.randn(5, 60, dtype=dtype).conj()]
    both(ADAM, torch.randn(5, 60, dtype=dtype), grads, state_format=state_format)


@pytest.mark.parametrize("state_format", ["int8", "int4"])
def test_a_shard_of_rows_has_the_codes_of_the_whole(state_format: str) -> None:
    torch.manual_seed(7)
    weight, grads = torch.randn(8, 200), gradients((8, 200), torch.float32)
    whole, state = run(ADAM, weight, grads, state_format=state_format)
    for rows in (slice(0, 3), slice(3, 8)):
        own_grads = [grad[rows].contiguous() for grad in grads]
        part, own = run(ADAM, weight[rows].contiguous(), own_grads, state_format=state_format)
        assert same_bits(part, whole[rows])
        assert all(same_bits(own[key], state[key][rows]) for key in state if key != "step")


@pytest.mark.parametrize("rounding", ["auto", "split24"])
@pytest.mark.parametrize("state_format", ["int8", "int4"])
def test_clipped_updates(state_format: str, rounding: str) -> None:
    torch.manual_seed(8)
    weight = torch.randn(7, 300).bfloat16()
    grads = [(torch.randn(7, 300) * 5**step).bfloat16() for step in range(4)]  # each is too large for its history
    both(ADAM, weight, grads, state_format=state_format, rounding=rounding, clip_update=1.0)
