"""How the memory of rows is asked for ahead (csrc/sparse_ahead.h) changes no bit; both ways are tried."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas
from adamas.sparse.cpu import CpuRows

from ..contract.measure import assert_same_bits
from .sequences import gradients, weight

STEPS = 20


def rows_of(optimizer: adamas.Optimizer) -> CpuRows:
    """Return what steps the only parameter of an optimizer."""
    plan = optimizer._plan
    assert plan is not None
    launch = plan._batches[0]._launch
    assert isinstance(launch, CpuRows)
    return launch


def train(together: int | None, shape: tuple[int, int], dtype: torch.dtype, **options: Any) -> list[torch.Tensor]:
    """Step a weight and read its rows, asking for them one way; None: the reference engine."""
    p = weight(shape, dtype)
    optimizer = adamas.AdamW([p], lr=1e-2, engine="reference" if together is None else "cpu", **options)
    for grad in gradients(shape, STEPS, dtype, most=60):
        p.grad = grad
        optimizer.step()
        if together is not None:
            launch = rows_of(optimizer)
            for struct in (launch._steps, launch._moves):
                struct.trial, struct.together = None, together
        optimizer.catch_up(p, grad._indices()[0])
    optimizer.state_dict()
    return [p.detach(), *(value for name, value in optimizer.state[p].items() if name != "step")]


@pytest.mark.parametrize("together", [0, 1])
@pytest.mark.parametrize("shape", [(50, 64), (50, 7), (50, 1100)], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"dtype": torch.float32},
        {"dtype": torch.float32, "amsgrad": True},
        {"dtype": torch.float32, "sparse": "lazy", "row_steps": True},
        {"dtype": torch.float32, "sparse": "lazy", "state_format": "int8"},
        {"dtype": torch.bfloat16},
        {"dtype": torch.bfloat16, "rounding": "split24"},
        {"dtype": torch.float64},
    ],
    ids=str,
)
def test_no_bit_depends_on_how_rows_are_asked_for(
    options: dict[str, Any], shape: tuple[int, int], together: int
) -> None:
    assert_same_bits(train(together, shape, **options), train(None, shape, **options))


def test_both_ways_are_tried_for_steps_and_for_reads() -> None:
    p = weight((50, 64))
    optimizer = adamas.AdamW([p], lr=1e-2)
    steps = 0
    for grad in gradients((50, 64), STEPS):
        p.grad = grad
        optimizer.step()
        steps += bool(len(grad._indices()[0]))
        optimizer.catch_up(p, torch.arange(0, 50, 7))
    for trial, calls in zip(rows_of(optimizer)._trials, (steps, STEPS), strict=True):
        assert trial.calls == calls
        assert all(0 < seconds < 1 for seconds in trial.fastest)
