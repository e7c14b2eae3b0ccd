"""torch.amp.GradScaler, and the attributes through which it talks to an optimizer that unscales."""

from __future__ import annotations

import pytest
import torch

from .measure import assert_same_bits, copies
from .pairs import STATEFUL, every_engine, every_name, ours
from .training import gradients, snapshot, train, weights

# A power of two: scaling by it and back is exact, so the scaled training has the bits of the plain one.
SCALE = 2.0**10


def scaler(growth_interval: int = 1000) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=SCALE, growth_interval=growth_interval)


def backward(params: list[torch.nn.Parameter], grads: list[torch.Tensor], amp: torch.amp.GradScaler) -> None:
    """A backward pass whose gradients are the given ones, scaled."""
    for p in params:
        p.grad = None
    loss = sum((p * g).sum() for p, g in zip(params, grads, strict=True))
    amp.scale(loss).backward()  # type: ignore[union-attr, arg-type]


@every_engine
@every_name
def test_a_scaled_training_is_the_plain_one(name: str, engine: str):
    params, plain = weights(), weights()
    optimizer = ours(name, params, engine, **STATEFUL[name])
    grads = gradients(params, steps=6)
    amp = scaler(growth_interval=2)  # the scale doubles on the way
    for gs in grads:
        backward(params, gs, amp)
        amp.step(optimizer)
        amp.update()
    train(ours(name, plain, engine, **STATEFUL[name]), plain, grads)
    assert amp.get_scale() == 8 * SCALE
    assert_same_bits(copies(params), copies(plain))


@every_engine
@every_name
def test_gradients_unscaled_by_the_user_are_not_unscaled_again(name: str, engine: str):
    params, plain = weights(), weights()
    optimizer, expected = ours(name, params, engine), ours(name, plain, engine)
    amp = scaler()
    for gs in gradients(params, steps=3):
        backward(params, gs, amp)
        amp.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(params, 0.5)
        clipped = copies(p.grad for p in params if p.grad is not None)
        amp.step(optimizer)
        amp.update()
        train(expected, plain, [clipped])
    assert_same_bits(copies(params), copies(plain))


@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
@every_engine
@every_name
def test_an_overflow_changes_nothing_but_the_scale(name: str, engine: str, bad: float):
    params = weights()
    optimizer = ours(name, params, engine, **STATEFUL[name])
    grads = gradients(params, steps=4)
    train(optimizer, params, grads[:2])
    before = snapshot(optimizer, params)
    amp = scaler()
    backward(params, grads[2], amp)
    assert params[1].grad is not None
    params[1].grad[3] = bad
    amp.step(optimizer)
    amp.update()
    assert_same_bits(snapshot(optimizer, params), before)
    assert amp.get_scale() == SCALE / 2
    train(optimizer, params, grads[3:])
    assert not torch.equal(before[0][1], params[1])


@every_engine
@every_name
def test_an_overflow_in_the_first_step_leaves_a_fresh_optimizer(name: str, engine: str):
    params, plain = weights(), weights()
    optimizer = ours(name, params, engine, **STATEFUL[name])
    grads = gradients(params, steps=3)
    amp = scaler()
    backward(params, grads[0], amp)
    assert params[0].grad is not None
    params[0].grad[0, 0] = torch.inf
    amp.step(optimizer)
    amp.update()
    train(optimizer, params, grads)
    train(ours(name, plain, engine, **STATEFUL[name]), plain, grads)
    assert_same_bits(copies(params), copies(plain))


@every_engine
@every_name
def test_the_attributes_of_the_protocol(name: str, engine: str):
    """GradScaler sets grad_scale and found_inf, calls step, and deletes them; a trainer may do so itself."""
    params, plain = weights(), weights()
    optimizer = ours(name, params, engine, **STATEFUL[name])
    grads = gradients(params, steps=6)
    assert getattr(optimizer, "_step_supports_amp_scaling", False)
    for t, gs in enumerate(grads):
        optimizer.grad_scale = torch.tensor(SCALE)  # type: ignore[attr-defined]
        optimizer.found_inf = torch.tensor(float(t % 2))  # type: ignore[attr-defined]
        before = snapshot(optimizer, params)
        scaled = [SCALE * g for g in gs]
        train(optimizer, params, [scaled])
        assert_same_bits([p.grad for p in params], scaled, "the gradients, still scaled")
        if t % 2:
            assert_same_bits(snapshot(optimizer, params), before)
        del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]
    train(ours(name, plain, engine, **STATEFUL[name]), plain, grads[::2])
    assert_same_bits(copies(params), copies(plain))


@every_engine
@every_name
def test_a_disabled_scaler_is_not_there(name: str, engine: str):
    params, plain = weights(), weights()
    optimizer = ours(name, params, engine)
    amp = torch.amp.GradScaler("cpu", enabled=False)
    grads = gradients(params, steps=3)
    for gs in grads:
        backward(params, gs, amp)
        amp.step(optimizer)
        amp.update()
    train(ours(name, plain, engine), plain, grads)
    assert_same_bits(copies(params), copies(plain))
