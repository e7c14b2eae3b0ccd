"""Sums over missed steps are the sums that they stand for, with the compiled library and without it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

import adamas
from adamas.sparse.catch_up import catch_up, missed
from adamas.sparse.table import COLUMNS, Table

STEPS = 1100  # there is room for 1024 at first


def advanced(beta1: float, beta2: float, constant: bool) -> tuple[Table, list[SimpleNamespace]]:
    """Return a table that has seen some steps, and the hyper-parameters of each of them."""
    steps = [
        SimpleNamespace(beta1=beta1, beta2=beta2, eps=1e-8, lr=1e-3 * (1 + i % 7), keep=1 - 1e-4 * (i % 3))
        for i in range(STEPS)
    ]
    table = Table(5, steps[0], constant, 2.0**-25)
    for h in steps:
        assert table.begin(h, table.now + 1)
        table.advance()
    return table, steps


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.9)])
def test_sums_are_those_of_their_terms(betas: tuple[float, float], constant: bool) -> None:
    """A sum of 1100 terms by additions of float64 is off by at most as many roundings."""
    table, steps = advanced(*betas, constant)
    beta1, beta2 = betas
    kept = [1.0]
    for h in steps:
        kept.append(kept[-1] * h.keep)
    assert table.kept[: STEPS + 1].tolist() == kept
    decay = 1.0 if constant else math.sqrt(beta2)
    for birth in (0, 1, 500, STEPS - 200, STEPS - 2, STEPS - 1):
        for n in range(COLUMNS):
            terms = []
            for j in range(1, min(STEPS - birth, table.reach) + 1):
                i = birth + j
                rate, unbias = steps[i - 1].lr / (1 - beta1 ** (5 + i)), math.sqrt(1 - beta2 ** (5 + i))
                terms.append(rate * unbias ** (n + 1) * beta1**j * decay ** (-(n + 1) * j) / kept[i])
            assert math.isclose(table.sums[birth, n], math.fsum(terms), rel_tol=STEPS * 2.0**-52)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("missed_steps", [1, 8, 300])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.95), (0.5, 0.9)])
def test_no_more_is_left_out_than_is_said(betas: tuple[float, float], missed_steps: int, constant: bool) -> None:
    """However near eps: against all steps, one by one. Weights of zero, so that movements are not rounded with them."""
    table, steps = advanced(*betas, constant)
    beta1, beta2 = betas
    root = torch.logspace(-14, 0, 1 << 12, dtype=torch.float64).unsqueeze(0)
    m, x = torch.randn(root.shape, dtype=root.dtype), torch.zeros_like(root)
    what = missed(table, torch.tensor([table.now - missed_steps], dtype=torch.int32))
    found, _, _ = catch_up(table, what, x, m, root * root, root * root if constant else None)
    expected = x.clone()
    for j in range(1, missed_steps + 1):
        step = table.now - missed_steps + j
        h = steps[step - 6]
        denominator = root * (1.0 if constant else beta2 ** (j / 2)) / math.sqrt(1 - beta2**step) + h.eps
        expected = h.keep * expected - h.lr * beta1**j / (1 - beta1**step) * m / denominator
    assert ((found - expected) / expected).abs().max() < 2 * table.tolerance  # also of what is out of reach
    clear = root * root >= what.clear
    assert clear.any()
    assert missed_steps == 1 or constant or not clear.all()


@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_library_adds_as_torch_does(amsgrad: bool) -> None:
    """A table that is stepped by either engine, beyond the room that it has at first."""
    tables = []
    for engine in ("cpu", "reference"):
        p = torch.nn.Parameter(torch.ones(3, 2))
        optimizer = adamas.AdamW([p], amsgrad=amsgrad, sparse="exact", engine=engine)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = 1e-3 * (1 + step % 7)
            p.grad = torch.sparse_coo_tensor(
                torch.tensor([[step % 3]]), torch.ones(1, 2), p.shape, check_invariants=False
            )
            optimizer.step()
        tables.append(optimizer._lags[p].table)
    ours, theirs = tables
    assert ours.now == theirs.now == STEPS
    assert torch.equal(ours.sums, theirs.sums)
    for name in ("kept", "rate", "unbias", "power1", "power2"):
        assert getattr(ours, name) == getattr(theirs, name)
