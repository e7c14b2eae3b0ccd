"""Sums by Triton: what guards, clipped and cautious updates and the doctor ask for, with the bits of the reference."""

from __future__ import annotations

import pytest
import torch

import adamas
from adamas.engines import norms
from adamas.engines.triton_sums import GpuSquares, totals

from ..core.catalog import CASES, DTYPES, LAYOUTS, Case, at, device_of, same_bits
from ..core.test_engines import CASE_IDS
from ..core.test_few_bits import gradients
from ..doctor.test_statistics import look

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

ADAM = Case("Adam", "AdamW", {"weight_decay": 0.1})


def same(case: Case, weights: list[torch.Tensor], grads: list[torch.Tensor], **more: object) -> None:
    """Check that both engines see the same."""
    expected, actual = (look(case, weights, grads, engine=engine, **more) for engine in ("reference", "triton"))
    for ours, theirs in zip(actual, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            wide = torch.tensor([a.sums, b.sums], dtype=torch.float64)
            assert same_bits(wide[0], wide[1]), (a.sums, b.sums)


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_statistics_of_every_rule(case: Case) -> None:
    torch.manual_seed(0)
    same(case, [torch.randn(5, 101), torch.randn(5, 101)], gradients((5, 101), torch.float32, 2))


@pytest.mark.parametrize("state_format", ["float32", "int8", "int4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24", "split32"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_statistics_of_every_format(dtype: torch.dtype, rounding: str, state_format: str) -> None:
    torch.manual_seed(1)
    grads = [1e-3 * g for g in gradients((3, 137), dtype, 2)]
    grads[1][0, 5] = torch.inf
    same(ADAM, [torch.randn(3, 137).to(dtype)], grads, state_format=state_format, rounding=rounding, lr=1e-4)


def test_statistics_of_many_blocks_and_layouts() -> None:
    torch.manual_seed(2)
    same(ADAM, [torch.randn(5003), torch.randn(5003)], gradients((5003,), torch.float32, 1))
    weight = LAYOUTS["channels_last"]((3, 7, 5, 6), torch.float32)
    same(ADAM, [weight.copy_(torch.randn(3, 7, 5, 6))], gradients((3, 7, 5, 6), torch.float32, 1))


@pytest.mark.parametrize("state_format", ["float32", "int8"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_clipped_updates(dtype: torch.dtype, state_format: str) -> None:
    results = []
    for engine in ("reference", "triton"):
        torch.manual_seed(3)
        p = torch.nn.Parameter(torch.randn(3, 150).to(dtype).to(device_of(engine)))
        optimizer = adamas.AdamW([p], clip_update=1.0, engine=engine, state_format=state_format)
        for scale in (1.0, 30.0):
            p.grad = (scale * torch.randn(3, 150)).to(dtype).to(p.device)
            optimizer.step()
        assert optimizer.last_step is not None
        results.append((p.detach(), optimizer.last_step.update_rms if optimizer.last_step else None))
    assert same_bits(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


@pytest.mark.parametrize("dtype", [*DTYPES, torch.complex64], ids=str)
def test_squares(dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    tensors = [torch.randn(shape, dtype=wide).to(dtype) for shape in ((0,), (), (17,), (4096,), (3, 4001))]
    tensors.append(tensors[-1].clone().t())
    there = [at(x, "triton") for x in tensors]
    assert list(GpuSquares(there).of(there)) == list(norms.Squares(tensors).of(tensors))


def test_infinities_and_many_blocks() -> None:
    x = torch.ones(5000, device=device_of("triton"))
    x[4500] = torch.inf
    assert list(GpuSquares([x]).of([x])) == [torch.inf]
    blocks = torch.rand(3000, dtype=torch.float64) ** 20
    expected = 0.0
    for each in blocks[:2999].tolist():
        expected += each
    assert list(totals(blocks, [0, 2999, 3000])) == [expected, blocks[2999].item()]
