"""Rows are dealt out to threads (csrc/dealing.h): each is stepped and caught up once, by whichever thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits

SHAPES = [(40000, 1), (9000, 7), (4000, 64), (300, 1000), (40, 9000)]  # all worth several threads


@pytest.fixture(params=[2, 3, 5, 70])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    yield request.param
    torch.set_num_threads(before)


def train(shape: tuple[int, int], threads: int, **options: str) -> list[torch.Tensor]:
    """Step some rows of a weight and then others, catch up all."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    p = torch.nn.Parameter(torch.randn(shape, generator=generator))
    optimizer = adamas.AdamW([p], lr=0.1, engine="cpu", **options)
    for _ in range(4):
        rows = torch.randperm(shape[0], generator=generator)[: 9 * shape[0] // 10]
        values = torch.randn(len(rows), shape[1], generator=generator)
        p.grad = torch.sparse_coo_tensor(rows[None], values, shape, check_invariants=False)
        optimizer.step()
    optimizer.flush()
    return [p.detach(), optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"]]


@pytest.mark.parametrize("sparse", ["exact", "lazy"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_bit_depends_on_threads(shape: tuple[int, int], sparse: str, threads: int) -> None:
    for alone, together in zip(train(shape, 1, sparse=sparse), train(shape, threads, sparse=sparse), strict=True):
        assert_same_bits(together, alone)


def test_reading_counts_each_row_once(threads: int) -> None:
    """`catch_up` says how many rows were behind: threads' counts are added up."""
    torch.set_num_threads(threads)
    p = torch.nn.Parameter(torch.ones(4000, 64))
    optimizer = adamas.AdamW([p], lr=0.1, engine="cpu")
    for row in (1, 2):
        p.grad = torch.sparse_coo_tensor(torch.tensor([[row]]), torch.ones(1, 64), p.shape, check_invariants=False)
        optimizer.step()
    lag = optimizer._lags[p]
    assert lag.catch_up(torch.arange(10, 3010)) == 3000
    assert lag.catch_up(None) == 4000 - 3000 - 1
