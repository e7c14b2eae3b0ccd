"""A step of the compiled engine allocates nothing once its state is there."""

from __future__ import annotations

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from .catalog import CASES, Case


def allocated(optimizer: torch.optim.Optimizer) -> int:
    """Return the bytes of all tensors that a step allocates."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        optimizer.step()
    events = profiler.events()
    assert events is not None
    return sum(max(event.cpu_memory_usage, event.self_cpu_memory_usage, 0) for event in events)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.optimizer}-{case.rule}")
def test_second_step_allocates_nothing(case: Case, dtype: torch.dtype) -> None:
    shapes = [(300, 200), (17,), (4, 3, 5, 5)]
    ps = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
    ps[2] = ps[2].detach().to(memory_format=torch.channels_last).requires_grad_()
    for p in ps:
        p.grad = torch.randn_like(p)
    ps[0].grad = torch.randn(200, 300).to(dtype).t()  # a strided gradient is not copied either
    optimizer = case.make(list(ps), engine="cpu")
    optimizer.step()
    # NAdam rounds its momentum product on a 0-dim tensor: a few bytes, whatever the size of the model.
    assert allocated(optimizer) <= (64 if case.rule == "NAdam" else 0)


def test_the_measure_sees_torch_allocate() -> None:
    p = torch.nn.Parameter(torch.randn(1000))
    p.grad = torch.randn(1000)
    optimizer = torch.optim.AdamW([p], foreach=False)
    optimizer.step()
    assert allocated(optimizer) >= 4000
