"""What one call of step() does, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from .measure import assert_same_bits, copies
from .pairs import every_engine, every_name, every_variant, ours
from .training import gradients, snapshot, step, train, weights


@every_engine
@every_name
def test_closure_is_called_once_with_grad_enabled_and_its_loss_returned(name: str, engine: str):
    params = weights()
    optimizer = ours(name, params, engine)
    calls: list[bool] = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = sum(((p - 1) ** 2).sum() for p in params)
        assert isinstance(loss, Tensor)
        loss.backward()
        return loss

    before = copies(params)
    with torch.no_grad():
        loss = optimizer.step(closure)  # type: ignore[arg-type]  # torch says float, and means the loss
    assert calls == [True]
    assert isinstance(loss, Tensor)
    assert loss.item() == pytest.approx(sum(((p - 1) ** 2).sum().item() for p in before))
    twin = weights()
    step(ours(name, twin, engine), twin, [p.grad for p in params])
    assert_same_bits(copies(params), copies(twin))


@every_name
def test_step_without_closure_returns_nothing(name: str):
    params = weights()
    optimizer = ours(name, params)
    assert optimizer.step() is None


@every_engine
@every_name
def test_step_restores_grad_mode_and_records_nothing(name: str, engine: str):
    params = weights()
    optimizer = ours(name, params, engine)
    step(optimizer, params, gradients(params, steps=1)[0])
    assert torch.is_grad_enabled()
    for p in params:
        assert p.requires_grad
        assert p.grad_fn is None
        assert not any(isinstance(s, Tensor) and s.requires_grad for s in optimizer.state[p].values())


@every_engine
@every_variant
def test_step_leaves_gradients_alone(name: str, hyper: dict, engine: str):
    params = weights()
    optimizer = ours(name, params, engine, **hyper)
    for gs in gradients(params, steps=3):
        mine = [g.clone() for g in gs]
        for p, g in zip(params, mine, strict=True):
            p.grad = g
        versions = [g._version for g in mine]
        optimizer.step()
        assert [p.grad is g for p, g in zip(params, mine, strict=True)] == [True] * len(mine)
        assert [g._version for g in mine] == versions
        assert_same_bits(mine, gs)


@every_engine
@every_name
def test_step_does_not_keep_or_alias_the_gradient(name: str, engine: str):
    """The first momentum buffer of SGD is the gradient; it has to be a copy of it."""
    hyper = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    params = weights()
    optimizer = ours(name, params, engine, **hyper)
    step(optimizer, params, gradients(params, steps=1)[0])
    after = snapshot(optimizer, params)
    for p in params:
        assert p.grad is not None
        p.grad.fill_(torch.nan)
    assert_same_bits(snapshot(optimizer, params), after)


@pytest.mark.parametrize("set_to_none", [True, False])
@every_name
def test_zero_grad(name: str, set_to_none: bool):
    params = weights()
    optimizer = ours(name, params)
    for p, g in zip(params[:-1], gradients(params, steps=1)[0], strict=False):
        p.grad = g
    optimizer.zero_grad(set_to_none=set_to_none)
    assert params[-1].grad is None
    for p in params[:-1]:
        assert p.grad is None if set_to_none else p.grad is not None and not p.grad.any()


@every_engine
@every_variant
def test_a_parameter_without_gradient_is_left_alone(name: str, hyper: dict, engine: str):
    params = weights()
    optimizer = ours(name, params, engine, **hyper)
    before = snapshot(optimizer, params)
    for gs in gradients(params, steps=3):
        step(optimizer, params, [gs[0], None, gs[2]])
    after = snapshot(optimizer, params)
    assert_same_bits(after[0][1], before[0][1])
    assert_same_bits(after[1][1], before[1][1])
    alone = weights()
    others = [alone[0], alone[2]]
    train(ours(name, others, engine, **hyper), others, [[g[0], g[2]] for g in gradients(params, steps=3)])
    assert_same_bits(copies(params)[::2], copies(others))


@every_engine
@every_variant
def test_freezing_pauses_one_parameter(name: str, hyper: dict, engine: str):
    """A frozen parameter continues later as if there had been no pause; the others do not notice."""
    params, twins = weights(), weights()
    optimizer = ours(name, params, engine, **hyper)
    separate = [ours(name, [p], engine, **hyper) for p in twins]
    for t, gs in enumerate(gradients(params, steps=9)):
        frozen = 1 if 3 <= t < 6 else None
        params[1].requires_grad_(frozen is None)
        step(optimizer, params, [None if i == frozen else g for i, g in enumerate(gs)])
        for i, (alone, p, g) in enumerate(zip(separate, twins, gs, strict=True)):
            if i != frozen:
                step(alone, [p], [g])
    assert_same_bits(copies(params), copies(twins))


UNTOUCHED = {"normal": [0.0, 1.0, -1e4, 2.0**-126], "negative_zero": [-0.0], "subnormal": [1e-45, -1e-39]}


@pytest.mark.parametrize("values", UNTOUCHED.values(), ids=UNTOUCHED)
@every_engine
@every_variant
def test_zero_lr_and_zero_gradient_change_no_bit(name: str, hyper: dict, engine: str, values: list[float]):
    """Distributed checkpoints make an optimizer allocate its state by such a step."""
    p = torch.nn.Parameter(torch.tensor(values))
    optimizer = ours(name, [p], engine, **{**hyper, "lr": 0.0})
    p.grad = torch.zeros_like(p)
    optimizer.step()
    assert_same_bits(p, torch.tensor(values))


@every_engine
@every_variant
def test_maximize_of_g_is_minimise_of_minus_g(name: str, hyper: dict, engine: str):
    up, down = weights(), weights()
    grads = gradients(up, steps=20)
    train(ours(name, up, engine, **{**hyper, "maximize": True}), up, grads)
    train(ours(name, down, engine, **{**hyper, "maximize": False}), down, [[-g for g in gs] for gs in grads])
    assert_same_bits(copies(up), copies(down))


@every_engine
@every_name
def test_autograd_notices_that_step_wrote(name: str, engine: str):
    """A graph that saved the old weights must refuse to use them, as after any in-place write."""
    (p, *_) = params = weights()
    optimizer = ours(name, params, engine)
    loss = (p * p).sum()
    step(optimizer, params, gradients(params, steps=1)[0])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@every_engine
@every_variant
def test_threads_change_no_bit(name: str, hyper: dict, engine: str):
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2):
        torch.set_num_threads(count)
        params = weights(shapes=((40, 1000), (7,)))
        train(ours(name, params, engine, **hyper), params, gradients(params, steps=2))
        results.append(copies(params))
    torch.set_num_threads(threads)
    assert_same_bits(results[0], results[1])
