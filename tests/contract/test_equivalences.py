"""Identities between the optimizers: each is a theorem about the formulas, so it holds on every engine."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .measure import assert_same_bits, copies
from .pairs import every_engine, ours
from .training import gradients, step, train, weights

# Left and right are the same optimizer, to the bit. The first name is trained with the first
# hyper-parameters, ...
SAME: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "AdamW without decay is Adam": ("AdamW", {"weight_decay": 0.0}, "Adam", {}),
    "AdamW is Adam with decoupled decay": (
        "AdamW",
        {"weight_decay": 0.1},
        "Adam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    "decoupled and L2 decay agree when there is none": ("RAdam", {"decoupled_weight_decay": True}, "RAdam", {}),
    "NAdam too": ("NAdam", {"decoupled_weight_decay": True}, "NAdam", {}),
    "momentum 0 is no momentum": ("SGD", {"momentum": 0.0}, "SGD", {}),
    "dampening needs momentum": ("SGD", {"dampening": 0.5}, "SGD", {}),
    "an lr_decay of 0 is none": ("Adagrad", {"lr_decay": 0.0}, "Adagrad", {}),
    "RMSprop with momentum 0": ("RMSprop", {"momentum": 0.0}, "RMSprop", {}),
    "Lion without decay": ("Lion", {"weight_decay": 0.0}, "Lion", {}),
}


@pytest.mark.parametrize(("left", "left_hyper", "right", "right_hyper"), SAME.values(), ids=SAME)
@every_engine
def test_same_bits(left: str, left_hyper: dict, right: str, right_hyper: dict, engine: str):
    a, b = weights(), weights()
    grads = gradients(a, steps=20)
    train(ours(left, a, engine, **left_hyper), a, grads)
    train(ours(right, b, engine, **right_hyper), b, grads)
    assert_same_bits(copies(a), copies(b))


@every_engine
def test_amsgrad_is_adam_while_v_grows(engine: str):
    """With |g| rising, v never falls below its maximum."""
    a, b = weights(), weights()
    signs = [[g.sign() for g in gs] for gs in gradients(a, steps=20)]
    grads = [[s * 1.25**t for s in ss] for t, ss in enumerate(signs)]
    train(ours("Adam", a, engine, amsgrad=True), a, grads)
    train(ours("Adam", b, engine), b, grads)
    assert_same_bits(copies(a), copies(b))


SCALE_FREE: dict[str, dict[str, Any]] = {
    "Adam": {"eps": 0.0},
    "AdamW": {"eps": 0.0, "amsgrad": True},
    "NAdam": {"eps": 0.0},
    "Adamax": {"eps": 0.0},
    "RMSprop": {"eps": 0.0, "centered": True, "momentum": 0.9},
    "Adagrad": {"eps": 0.0},
    "Lion": {"weight_decay": 0.1},
}


@pytest.mark.parametrize("exponent", [-20, -3, 1, 20])
@pytest.mark.parametrize(("name", "hyper"), SCALE_FREE.items(), ids=SCALE_FREE)
@every_engine
def test_the_scale_of_the_gradient_does_not_matter(name: str, hyper: dict, engine: str, exponent: int):
    """m / sqrt(v) has no unit. Multiplying by a power of two is exact, so not a bit may change."""
    a, b = weights(), weights()
    # Without eps a weight that has no gradient would divide zero by zero.
    grads = [[torch.where(g == 0, 1e-3, g) for g in gs] for gs in gradients(a, steps=10)]
    train(ours(name, a, engine, **hyper), a, grads)
    train(ours(name, b, engine, **hyper), b, [[2.0**exponent * g for g in gs] for gs in grads])
    assert_same_bits(copies(a), copies(b))


@every_engine
def test_sgd_is_linear_in_the_learning_rate_and_the_gradient(engine: str):
    """lr 2^k and g / 2^k: the same steps."""
    a, b = weights(), weights()
    grads = gradients(a, steps=10)
    train(ours("SGD", a, engine, lr=0.25, momentum=0.5, nesterov=True), a, grads)
    halved = [[g / 2 for g in gs] for gs in grads]
    train(ours("SGD", b, engine, lr=0.5, momentum=0.5, nesterov=True), b, halved)
    assert_same_bits(copies(a), copies(b))


# All numbers are small multiples of powers of two, so each of these is exact in float32.
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(-64, 64), min_size=1, max_size=8), st.integers(-64, 64), st.sampled_from([0.25, 0.5, 1.0]))
@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_one_step_by_hand(engine: str, g: list[int], w: int, lr: float):
    grad = torch.tensor(g, dtype=torch.float32) / 8
    start = torch.full((len(g),), w / 8)

    def after(name: str, steps: int = 1, **hyper: Any) -> torch.Tensor:
        p = start.clone()
        train(ours(name, [p], engine, lr=lr, **hyper), [p], [[grad]] * steps)
        return p

    assert_same_bits(after("SGD") + 0.0, start - lr * grad + 0.0)
    # The first buffer is the gradient: Nesterov steps by (1 + mu) g. The second is mu g + (1 - tau) g.
    assert_same_bits(after("SGD", momentum=0.5, nesterov=True) + 0.0, start - lr * 1.5 * grad + 0.0)
    damped = start - lr * grad - lr * (0.5 + 0.75) * grad
    assert_same_bits(after("SGD", 2, momentum=0.5, dampening=0.25) + 0.0, damped + 0.0)
    # Without memory and eps a step of Lion is the sign of the gradient, decay first.
    lion = start * (1 - lr * 0.5) - lr * grad.sign()
    assert_same_bits(after("Lion", betas=(0.0, 0.0), weight_decay=0.5) + 0.0, lion + 0.0)


@every_engine
def test_l2_decay_is_a_gradient_and_decoupled_decay_is_a_factor(engine: str):
    """Without a gradient, L2 under Adam walks to zero at the speed of lr; decoupled decay shrinks."""
    start = torch.tensor([4.0, 1.0, -2.0])
    l2, decoupled = start.clone(), start.clone()
    zeros = [[torch.zeros(3)]] * 8
    train(ours("Adam", [l2], engine, lr=2**-7, betas=(0.0, 0.0), eps=0.0, weight_decay=0.5), [l2], zeros)
    train(ours("AdamW", [decoupled], engine, lr=0.5, weight_decay=0.5), [decoupled], zeros)
    assert_same_bits(l2, start - 8 * 2**-7 * start.sign())
    assert_same_bits(decoupled, start * 0.75**8)


@every_engine
def test_radam_begins_as_bias_corrected_momentum(engine: str):
    """With beta2 = 0.999 rho exceeds 5 from step 6 on; before that the divisor is not used, so eps is irrelevant."""
    a, b = weights(), weights()
    one, other = ours("RAdam", a, engine, eps=1e-8), ours("RAdam", b, engine, eps=1.0)
    for t, gs in enumerate(gradients(a, steps=7), start=1):
        step(one, a, gs)
        step(other, b, gs)
        assert torch.equal(a[1], b[1]) == (t <= 5)
