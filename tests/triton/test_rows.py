"""Rows of sparse gradients by Triton: the reference's bits.

On a GPU torch is asked to add rows that are there twice in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

import adamas
from adamas.engines.triton import interpreted

from ..core.catalog import Case
from ..sparse.sequences import lead
from ..sparse.test_lazy import CASE_IDS, ROWWISE, assert_same, lazily

# torch 2.11 says so of every sparse tensor that is made on its way to a GPU.
pytestmark = [] if interpreted() else [pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")]

FORMATS: list[dict[str, Any]] = [
    {},
    {"state_format": "int8"},
    {"state_format": "int4"},
    {"rounding": "split24"},
    {"row_steps": True},
    {"sparse": "exact", "eps": 1e-3},
]


@pytest.fixture(autouse=True)
def in_order() -> Iterator[None]:
    torch.use_deterministic_algorithms(not interpreted())
    yield
    torch.use_deterministic_algorithms(False)


def engines(make: Any, shape: tuple[int, ...], dtype: torch.dtype, **options: Any) -> None:
    """Check that both engines do the same."""
    ours, theirs = (lead(make, shape, 4, dtype, engine=engine, **options) for engine in ("triton", "reference"))
    assert_same(ours, theirs)


@pytest.mark.parametrize("case", ROWWISE, ids=CASE_IDS)
def test_every_rule(case: Case) -> None:
    engines(getattr(adamas, case.optimizer), (30, 3, 5), torch.bfloat16, **lazily(case))


@pytest.mark.parametrize("options", FORMATS, ids=str)
@pytest.mark.parametrize("width", [33, 200])
def test_every_format(width: int, options: dict[str, Any]) -> None:
    more: dict[str, Any] = {"sparse": "lazy", **options}
    for dtype in (torch.float32, torch.bfloat16):
        engines(adamas.AdamW, (40, width), dtype, **more)
