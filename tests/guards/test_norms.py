"""Sums of squares and of ratios: the compiled ones are those of the reference to the bit, and both are right."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adamas.engines import norms
from adamas.engines.norms import Squares, total_norm

from ..core.catalog import DTYPES, LAYOUTS

SIZES = (0, 1, 15, 16, 17, 511, 4096, 4097, 3 * 4096 + 5, 257 * 4096 + 1)


def squares(tensors: list[torch.Tensor]) -> list[float]:
    return list(Squares(tensors).of(tensors))


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch):
    """Return the sums as they are without a compiled library."""

    def run(tensors: list[torch.Tensor]) -> list[float]:
        with monkeypatch.context() as without:
            without.setattr(norms, "_is_compiled", lambda x: False)
            return squares(tensors)

    return run


@pytest.mark.parametrize("dtype", [*DTYPES, torch.complex64], ids=str)
def test_compiled_sums_are_the_references(dtype: torch.dtype, reference):
    tensors = [torch.randn(n, dtype=dtype) for n in SIZES]
    assert squares(tensors) == reference(tensors)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_neither_threads_nor_instruction_set_matter(isa: str, threads: int, reference, on_isa, team):
    tensors = [torch.randn(100_003), torch.randn(3), torch.randn(50_000).bfloat16()]
    assert squares(tensors) == reference(tensors)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_any_layout(layout: str, dtype: torch.dtype, reference):
    x = LAYOUTS[layout]((3, 4, 5, 7), dtype)
    x.copy_(torch.randn(3, 4, 5, 7))
    assert squares([x]) == reference([x])
    assert math.isclose(squares([x])[0], math.fsum((x.double() ** 2).flatten().tolist()), rel_tol=1e-14)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=60))
def test_the_sum_is_right_and_finite_for_all_float32(values: list[float]):
    x = torch.tensor(values, dtype=torch.float32)
    exact = math.fsum(float(each) ** 2 for each in x.tolist())
    assert math.isclose(squares([x])[0], exact, rel_tol=1e-14)
    assert math.isfinite(squares([x])[0])


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("place", [0, 4095, 5000, 5004])
def test_one_bad_element_anywhere_shows(bad: float, dtype: torch.dtype, place: int):
    x = torch.ones(5005, dtype=dtype)
    x[place] = bad
    assert not math.isfinite(squares([x])[0])


def test_lazy_signs_and_conjugates_do_not_matter(reference):
    x = torch.randn(40, dtype=torch.complex64)
    tensors = [x.conj(), x.conj().imag, x]
    assert squares(tensors) == reference(tensors)
    assert squares([x.conj()]) == squares([x])


@given(st.lists(st.floats(0, 1e6), max_size=30), st.randoms())
def test_the_total_does_not_depend_on_the_order(sums: list[float], random):
    shuffled = random.sample(sums, len(sums))
    assert total_norm(sums) == total_norm(shuffled)
