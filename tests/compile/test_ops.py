"""``torch.ops.adamas.step``: torch's own checks of an operator, and the optimizer's numbers in one graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch._dynamo as dynamo

import adamas
import adamas.ops
from adamas.rounding import stream_key

from ..core.catalog import same_bits

step: Any = torch.ops.adamas.step
CASES: tuple[dict[str, Any], ...] = (
    {"dtype": torch.float32},
    {"dtype": torch.float32, "state_format": "int8", "rounding": "auto"},
    {"dtype": torch.float16, "state_format": "int4", "rounding": "split24"},
    {"dtype": torch.bfloat16, "state_format": "bfloat16", "rounding": "stochastic"},
)


def prepared(dtype: torch.dtype, state_format: str = "auto", rounding: str = "nearest") -> Any:
    """Return an optimizer after a step, and what the operator takes for the next one."""
    torch.manual_seed(0)
    ps = [torch.nn.Parameter(torch.randn(3, 150).to(dtype)), torch.nn.Parameter(torch.randn(40).to(dtype))]
    optimizer = adamas.AdamW(ps, state_format=state_format, rounding=rounding)
    for p in ps:
        p.grad = torch.randn_like(p)
    optimizer.step()
    states = [optimizer.state[p] for p in ps]
    names = ("exp_avg", "exp_avg_sq")
    clones = [[state[name].clone() for state in states for name in names]]
    clones += [[state[f"{name}_scale"].clone() for state in states for name in names if f"{name}_scale" in state]]
    clones += [[state["weight_low"].clone() for state in states if "weight_low" in state]]
    grads = [torch.randn_like(p) for p in ps]
    for p, grad in zip(ps, grads, strict=True):
        p.grad = grad
    numbers = adamas.ops.numbers_of("Adam", 2, weight_decay=1e-2, decoupled_weight_decay=True)
    keys = [stream_key(0, f"#{place}") for place in range(2)]
    streams = [key - (1 << 64) if key >= 1 << 63 else key for key in keys]
    name = "nearest" if rounding == "auto" else rounding
    weights = [p.detach().clone() for p in ps]
    return optimizer, (weights, grads, *clones, numbers, "Adam", name, streams, 2)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_numbers_of_the_optimizer(case: dict[str, Any]) -> None:
    optimizer, arguments = prepared(**case)
    step(*arguments)
    optimizer.step()
    weights, _, slots, scales, low, *_ = arguments
    params = optimizer.param_groups[0]["params"]
    states = [optimizer.state[p] for p in params]
    assert all(map(same_bits, weights, params))
    kept = [state[name] for state in states for name in ("exp_avg", "exp_avg_sq")]
    assert all(map(same_bits, slots, kept))
    assert all(map(same_bits, low, [state["weight_low"] for state in states if "weight_low" in state]))
    assert len(scales) == (4 if case.get("state_format", "auto") in ("int8", "int4") else 0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_torch_finds_nothing_wrong(case: dict[str, Any]) -> None:
    _, arguments = prepared(**case)
    torch.library.opcheck(step, arguments)


def test_one_graph_for_every_lr() -> None:
    dynamo.reset()
    dynamo.utils.counters.clear()

    def train(
        w: torch.Tensor, m: torch.Tensor, v: torch.Tensor, x: torch.Tensor, numbers: torch.Tensor
    ) -> torch.Tensor:
        grad = 2 * x * (w * x - 1)
        step([w], [grad], [m, v], [], [], numbers, "Adam")
        return w * x

    compiled = torch.compile(train, backend="aot_eager", fullgraph=True)
    results = []
    for function in (train, compiled):
        torch.manual_seed(0)
        w, m, v = torch.randn(20), torch.zeros(20), torch.zeros(20)
        for t in range(1, 6):
            out = function(w, m, v, torch.randn(20), adamas.ops.numbers_of("Adam", t, lr=0.1 / t))
        results.append((w, m, v, out))
    assert all(map(same_bits, *results))
    assert dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_what_does_not_fit_is_refused() -> None:
    w, g = torch.ones(3), torch.ones(3)
    numbers = adamas.ops.numbers_of("Adam", 1)
    with pytest.raises(ValueError, match=r"need \{2\} slots, got 1"):
        step([w], [g], [w.clone()], [], [], numbers, "Adam")
    with pytest.raises(RuntimeError, match=r"gradient of weights\[0\] has shape"):
        step([w], [torch.ones(4)], [w.clone(), w.clone()], [], [], numbers, "Adam")
    with pytest.raises(ValueError, match="exp_avg_sq has shape"):
        step([w], [g], [w.clone(), torch.ones(4)], [], [], numbers, "Adam")
    with pytest.raises(ValueError, match="9 numbers, not 6"):
        step([w], [g], [w.clone(), w.clone()], [], [], numbers[:6], "Adam")
    with pytest.raises(ValueError, match="no rule 'NAdam'"):
        adamas.ops.numbers_of("NAdam", 1)
    with pytest.raises(TypeError, match="Adam has no 'momentum'"):
        adamas.ops.numbers_of("Adam", 1, momentum=0.9)
    assert w.tolist() == [1, 1, 1]
