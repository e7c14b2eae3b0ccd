"""The four ways of weight decay: against their formulas in float64, on every engine and rule."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits, copies
from ..contract.pairs import every_engine, every_name, ours
from ..contract.training import gradients, step, train, weights

WD = 0.25
# The share of a weight that decay takes in a step, from lr and the largest lr.
SHARES = {
    "decoupled": lambda lr, max_lr: lr * WD,
    "independent": lambda lr, max_lr: WD * lr / max_lr,
    "scheduled": lambda lr, max_lr: WD * lr * lr / max_lr,
}
LRS = [0.5, 0.25, 0.125, 0.0]


@pytest.mark.parametrize("mode", SHARES)
@every_engine
@every_name
def test_decay_alone_is_its_formula(name: str, mode: str, engine: str):
    """With a gradient of zero, and no moments yet, nothing but decay moves a weight."""
    params = weights()
    optimizer = ours(name, params, engine, lr=LRS[0], weight_decay=WD, decay_mode=mode)
    expected = [p.detach().double() for p in params]
    for lr in LRS:
        optimizer.param_groups[0]["lr"] = lr
        step(optimizer, params, [torch.zeros_like(p) for p in params])
        expected = [x * (1 - SHARES[mode](lr, LRS[0])) for x in expected]
    for p, x in zip(params, expected, strict=True):
        torch.testing.assert_close(p.detach().double(), x, rtol=4 * 2.0**-24, atol=0)


@pytest.mark.parametrize("decoupled", [False, True])
@every_engine
@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam"])
def test_auto_is_what_decoupled_weight_decay_says(name: str, engine: str, decoupled: bool):
    ends = []
    for more in ({"decoupled_weight_decay": decoupled}, {"decay_mode": "decoupled" if decoupled else "l2"}):
        params = weights()
        train(ours(name, params, engine, weight_decay=WD, **more), params, gradients(params, steps=5))
        ends.append(copies(params))
    assert_same_bits(ends[0], ends[1])


@every_engine
def test_the_four_modes_agree_where_their_formulas_do(engine: str):
    """At lr = max_lr = 1, scheduled and independent are decoupled; l2 on plain SGD is too."""
    ends = []
    for mode in ("l2", *SHARES):
        params = weights()
        train(ours("SGD", params, engine, lr=1.0, weight_decay=WD, decay_mode=mode), params, gradients(params, steps=3))
        ends.append(copies(params))
    for end in ends[2:]:
        assert_same_bits(end, ends[1])
    for a, b in zip(ends[0], ends[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def schedulers(optimizer: Any) -> dict[str, Any]:
    kinds = torch.optim.lr_scheduler
    return {
        "LambdaLR": lambda: kinds.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 4)),
        "CosineAnnealingLR": lambda: kinds.CosineAnnealingLR(optimizer, T_max=9),
        "OneCycleLR": lambda: kinds.OneCycleLR(optimizer, max_lr=0.5, total_steps=12),
    }


@pytest.mark.parametrize("kind", ["LambdaLR", "CosineAnnealingLR", "OneCycleLR"])
def test_the_largest_lr_is_the_schedules(kind: str):
    (p,) = weights([(3,)])
    optimizer = adamas.AdamW([p], lr=0.5, weight_decay=WD, decay_mode="independent")
    scheduler = schedulers(optimizer)[kind]()
    for _ in range(8):
        lr, before = optimizer.param_groups[0]["lr"], p.detach().clone()
        p.grad = torch.zeros_like(p)
        optimizer.step()
        torch.testing.assert_close(p.detach() / before, torch.full_like(p, 1 - WD * lr / 0.5), rtol=1e-6, atol=0)
        scheduler.step()


def test_the_largest_lr_goes_into_the_checkpoint():
    params = weights()
    first = adamas.AdamW(params, lr=0.5, decay_mode="scheduled")
    first.param_groups[0]["lr"] = 0.125
    second = adamas.AdamW(params, lr=0.01, decay_mode="scheduled")
    second.load_state_dict(first.state_dict())
    assert [second.param_groups[0][key] for key in ("lr", "max_lr", "decay_mode")] == [0.125, 0.5, "scheduled"]


def test_torch_cannot_be_told_of_it():
    params = weights()
    optimizer = adamas.AdamW(params, decay_mode="scheduled")
    with pytest.raises(ValueError, match=r"decay_mode='scheduled'.*torch's class cannot"):
        adamas.checkpoint.to_torch(optimizer)
    optimizer.param_groups[0]["decay_mode"] = "decoupled"
    adamas.checkpoint.to_torch(optimizer)


def test_a_largest_lr_of_zero_and_a_misspelt_mode_are_refused():
    params = weights()
    with pytest.raises(ValueError, match=r"unknown decay_mode 'schedule'; did you mean 'scheduled'"):
        adamas.AdamW(params, decay_mode="schedule")
    optimizer = adamas.AdamW(params, lr=0.0, decay_mode="independent")
    before = copies(params)
    with pytest.raises(ValueError, match=r"measures by max_lr, which is 0\.0"):
        train(optimizer, params, gradients(params, steps=1))
    assert_same_bits(copies(params), before)
    optimizer.param_groups[0]["max_lr"] = math.inf
    train(optimizer, params, gradients(params, steps=1))
