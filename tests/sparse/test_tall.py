"""Tables of 2 GiB and more, whose rows are asked for otherwise: their steps are those of a table of the rows alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits
from .sequences import coo

TALL = 2**31  # bytes of weights and slots: csrc/sparse_registers.h, kTall
ROWS = 60


def table(
    height: int, width: int, rows: torch.Tensor, options: dict[str, Any]
) -> tuple[torch.nn.Parameter, adamas.Optimizer]:
    """Make a table in which these rows are zeros, and its optimizer; what is not written takes no memory."""

    def unwritten() -> torch.Tensor:
        return torch.empty(height, width).index_fill_(0, rows, 0.0)

    p = torch.nn.Parameter(unwritten())
    optimizer = adamas.AdamW([p], lr=0.1, weight_decay=0.1, **options)
    names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if options.get("amsgrad") else [])]
    optimizer.state[p] = {"step": torch.tensor(0.0), **{name: unwritten() for name in names}}
    return p, optimizer


@pytest.mark.parametrize(
    "options", [{"sparse": "exact"}, {"sparse": "exact", "amsgrad": True}, {"sparse": "lazy"}], ids=str
)
@pytest.mark.parametrize("width", [250, 64, 1500])
def test_rows_of_tall_tables_step_as_those_of_short_ones(width: int, options: dict[str, Any]) -> None:
    slots = 3 if options.get("amsgrad") else 2
    height = TALL // (4 * width * (1 + slots)) + 1
    generator = torch.Generator().manual_seed(0)
    where = torch.randint(1, height - 1, (3 * ROWS,), generator=generator).unique()[: ROWS - 2]
    where = torch.cat([torch.tensor([0]), where, torch.tensor([height - 1])])
    p, tall = table(height, width, where, options)
    q, short = table(ROWS, width, torch.arange(ROWS), options)
    assert p.nbytes * (1 + slots) >= TALL
    for count in (ROWS, 1, 37, 20, 45):
        rows = torch.randperm(ROWS, generator=generator)[:count]
        values = torch.randn(count, width, generator=generator)
        p.grad, q.grad = coo(where[rows], values, tuple(p.shape)), coo(rows, values, tuple(q.shape))
        tall.step()
        short.step()
    tall.catch_up(p, where)
    short.flush()
    assert_same_bits(p.detach()[where], q.detach())
    for name in ("exp_avg", "exp_avg_sq"):
        assert_same_bits(tall.state[p][name][where], short.state[q][name], name)
