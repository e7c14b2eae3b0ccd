"""The compiled engine gives the reference's bits: every rule, dtype, layout, rounding, size, thread count and ISA."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adamas.engines import library
from adamas.rules import COMPILED

from .catalog import CASES, DTYPES, LAYOUTS, Case, run, same_bits

CASE_IDS = [f"{case.optimizer}-{case.rule}" for case in CASES]
ISAS = ("avx512", "avx2", "neon", "baseline")


def both(case: Case, weight: torch.Tensor, grads: list[torch.Tensor], **more: object) -> None:
    """Assert that the two engines agree to the bit in weight and state."""
    weight_a, state_a = run(case, weight, grads, engine="reference", **more)
    weight_b, state_b = run(case, weight, grads, engine="cpu", **more)
    assert same_bits(weight_a, weight_b)
    assert state_a.keys() == state_b.keys()
    for key, value in state_a.items():
        assert value.dtype == state_b[key].dtype
        assert same_bits(value, state_b[key]), key


def test_catalogue_has_every_compiled_rule() -> None:
    assert {case.rule for case in CASES} == {rule.__name__ for rule in COMPILED}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_every_instruction_set(case: Case, isa: str, restored_isa: None) -> None:
    loaded = library.load()
    assert loaded is not None
    if loaded.adamas_use_isa(isa.encode()) != 0:
        # Not a skip: a machine without it must refuse it, and say which ones it has.
        assert library.isa() in ISAS
        return
    torch.manual_seed(0)
    weight = torch.randn(1037)
    both(case, weight, [torch.randn(1037) * 0.1 for _ in range(50)])
    both(case, weight.bfloat16(), [torch.randn(1037).bfloat16() for _ in range(3)])
    both(case, weight.double(), [torch.randn(1037).double() for _ in range(3)])


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("state_format", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_formats_and_roundings(case: Case, dtype: torch.dtype, state_format: str, rounding: str) -> None:
    torch.manual_seed(1)
    grads = [(torch.randn(700) * 0.1).to(dtype) for _ in range(4)]
    both(case, torch.randn(700).to(dtype), grads, state_format=state_format, rounding=rounding, seed=3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("grad_layout", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, grad_layout: str, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    shape = (3, 4, 5, 6)
    weight = LAYOUTS[layout](shape, dtype).copy_(torch.randn(shape))
    grads = [LAYOUTS[grad_layout](shape, dtype).copy_(torch.randn(shape)) for _ in range(3)]
    case = Case("Adam", "Adam", {"weight_decay": 0.1})
    both(case, weight, grads)
    # and a layout changes no number: the same as row-major
    plain, _ = run(case, weight.contiguous(), [g.contiguous() for g in grads], engine="cpu")
    assert same_bits(run(case, weight, grads, engine="cpu")[0], plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_expanded_and_overlapping_gradients(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    expanded = torch.randn(1, 7, dtype=dtype).expand(9, 7)
    overlapping = torch.randn(15, dtype=dtype).as_strided((9, 7), (1, 1))
    both(CASES[8], torch.randn(9, 7, dtype=dtype), [expanded, overlapping, expanded])


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_complex(case: Case, dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    grads = [torch.randn(5, 6, dtype=dtype), torch.randn(5, 6, dtype=dtype).conj(), torch.randn(6, 5, dtype=dtype).t()]
    both(case, torch.randn(5, 6, dtype=dtype), grads)


def test_negated_gradient_view() -> None:
    torch.manual_seed(5)
    grads = [torch.randn(20, dtype=torch.complex64).conj().imag for _ in range(3)]
    assert grads[0].is_neg()
    both(CASES[8], torch.randn(20), [torch.randn(20), *grads])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-30, 3e38])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_special_gradients(case: Case, dtype: torch.dtype, value: float) -> None:
    torch.manual_seed(6)
    grads = [torch.randn(40).to(dtype) for _ in range(2)]
    grads[1][::3] = value
    both(case, torch.randn(40).to(dtype), [*grads, grads[0]])


@given(
    size=st.integers(0, 9000),
    offset=st.integers(0, 9),
    threads=st.integers(1, 4),
    dtype=st.sampled_from(DTYPES),
    case=st.sampled_from(CASES),
    state_format=st.sampled_from(["auto", "float32", "bfloat16"]),
)
@settings(max_examples=150, deadline=None)
def test_any_size_alignment_and_thread_count(
    size: int, offset: int, threads: int, dtype: torch.dtype, case: Case, state_format: str
) -> None:
    torch.manual_seed(size)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        weight = torch.randn(size + offset).to(dtype)[offset:]
        grads = [torch.randn(size + offset).to(dtype)[offset:] for _ in range(2)]
        both(case, weight, grads, state_format=state_format)
    finally:
        torch.set_num_threads(before)


def test_thread_count_changes_nothing() -> None:
    torch.manual_seed(7)
    weight, grads = torch.randn(100_000).bfloat16(), [torch.randn(100_000).bfloat16() for _ in range(3)]
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        results.append(run(CASES[9], weight, grads, engine="cpu")[0])
    torch.set_num_threads(before)
    assert all(same_bits(result, results[0]) for result in results)


def test_many_dimensions_use_the_reference() -> None:
    shape = (2,) * 12
    order = list(range(0, 12, 2)) + list(range(1, 12, 2))
    torch.manual_seed(8)
    weight, grad = torch.randn(shape), torch.randn(shape).permute(order)
    plain, _ = run(CASES[8], weight, [grad.contiguous()], engine="cpu")
    assert same_bits(run(CASES[8], weight, [grad])[0], plain)
    with pytest.raises(RuntimeError, match="more than 8 dimensions"):
        run(CASES[8], weight, [grad], engine="cpu")
