"""With release, training has the bits of the plain one: every rule, dtype and engine, accumulation, checkpoints."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch

import adamas
from adamas.release import allocator

from ..contract.measure import assert_same_bits, copies
from ..contract.pairs import every_engine
from ..core.catalog import CASES, Case
from .models import assert_same_training, backward, batch, groups, twins

STEPS = 5
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.optimizer}-{case.rule}")


def step_both(released: tuple[Any, Any], other: tuple[Any, Any], t: int) -> None:
    """Take a step with the same batch; the other training lets go of its gradients itself."""
    for model, optimizer in (released, other):
        backward(model, batch(t))
        optimizer.step()
    other[1].zero_grad()


def train_both(case: Case, dtype: torch.dtype = torch.float32, steps: int = STEPS, **more: Any) -> None:
    model, other = twins(dtype)
    optimizer, plain = case.make(groups(model), **more), case.make(groups(other), **more)  # type: ignore[arg-type]
    handle = optimizer.release(model)
    for t in range(steps):
        backward(model, batch(t))
        assert all(p.grad is None for p in model.parameters())
        optimizer.step()
        backward(other, batch(t))
        plain.step()
        plain.zero_grad()
    assert handle.steps == steps
    assert_same_training((model, optimizer), (other, plain))


@every_engine
@every_case
def test_every_rule(case: Case, engine: str):
    train_both(case, engine=engine)


@pytest.mark.parametrize("state_format", ["auto", "float32", "bfloat16", "int8", "int4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "split24"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_format_and_rounding(dtype: torch.dtype, rounding: str, state_format: str):
    train_both(Case("Adam", "AdamW", {"lr": 0.01}), dtype, rounding=rounding, state_format=state_format)


@every_engine
def test_clipped_updates(engine: str):
    train_both(Case("Adam", "AdamW", {"lr": 0.01}), engine=engine, clip_update=0.3)


def test_clipped_updates_are_reported():
    model, _ = twins()
    optimizer = adamas.AdamW(model.named_parameters(), clip_update=0.3)
    optimizer.release(model)
    backward(model, batch(0))
    optimizer.step()
    assert optimizer.last_step is not None
    assert set(optimizer.last_step.update_rms) == {n for n, p in model.named_parameters() if p.requires_grad}
    assert all(rms == pytest.approx(1.0, abs=0.5) for rms in optimizer.last_step.update_rms.values())


def test_exact_accumulation_and_a_scheduler():
    model, other = twins()
    optimizer, plain = (adamas.AdamW(groups(m), lr=0.01) for m in (model, other))
    schedules = [torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=8) for o in (optimizer, plain)]
    optimizer.release(model, accumulate=3)
    for t in range(6):
        for part in range(3):
            backward(model, batch(3 * t + part), 1 / 3)
            backward(other, batch(3 * t + part), 1 / 3)
            assert all((p.grad is None) == (part == 2) for p in model.parameters() if p.requires_grad)
        for o, schedule in zip((optimizer, plain), schedules, strict=True):
            o.step()
            schedule.step()
        plain.zero_grad()
    assert_same_training((model, optimizer), (other, plain))


def test_one_fold_is_no_fold():
    model, other = twins()
    optimizer, plain = (adamas.AdamW(groups(m)) for m in (model, other))
    optimizer.release(model, fold=True)
    for t in range(3):
        step_both((model, optimizer), (other, plain), t)
    assert_same_training((model, optimizer), (other, plain))


@every_engine
@pytest.mark.parametrize("hyper", [{"weight_decay": 0.1}, {"amsgrad": True, "maximize": True}], ids=str)
def test_folded_accumulation_is_adama(engine: str, hyper: dict[str, Any]):
    """AdamA (arXiv 2305.19982, algorithm 2) in float64, on gradients that do not depend on the weights."""
    w = torch.nn.Parameter(torch.randn(30))
    model = torch.nn.ParameterList([w])
    optimizer = adamas.AdamW([w], lr=0.01, betas=(0.8, 0.95), engine=engine, **hyper)
    optimizer.release(model, accumulate=4, fold=True)
    p, m, v, x = w.detach().double(), *(torch.zeros(30, dtype=torch.float64) for _ in range(3))
    sign = -1.0 if hyper.get("maximize") else 1.0
    for t in range(1, 7):
        grads = [10.0**k * torch.randn(30) / 4 for k in (0, -1, 1, 0)]
        m, v = 0.8 * m, 0.95 * v
        for g in grads:
            before = w.detach().clone()
            (w * g).sum().backward()
            assert w.grad is None
            m, v = m + 0.2 * sign * g.double(), v + 0.05 * g.double() ** 2
            if g is not grads[-1]:
                assert torch.equal(w, before)
        optimizer.step()
        x = torch.maximum(x, v)
        under = ((x if hyper.get("amsgrad") else v) / (1 - 0.95**t)).sqrt() + 1e-8
        p = p * (1 - 0.01 * hyper.get("weight_decay", 0.01)) - 0.01 * m / (1 - 0.8**t) / under
        torch.testing.assert_close(w.detach().double(), p, rtol=2e-6, atol=2e-6)
    state = optimizer.state[w]
    assert state["step"].item() == 6
    torch.testing.assert_close(state["exp_avg"].double(), m, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state["exp_avg_sq"].double(), v, rtol=1e-5, atol=0)


def test_a_checkpoint_of_released_training_goes_on_without():
    model, other = twins()
    optimizer, plain = (adamas.AdamW(groups(m), lr=0.01) for m in (model, other))
    handle = optimizer.release(model)
    for t in range(6):
        step_both((model, optimizer), (other, plain), t)
        if t == 1:  # new tensors in the state of a released optimizer
            optimizer.load_state_dict(copy.deepcopy(plain.state_dict()))
        if t == 3:
            handle.remove()
            optimizer.load_state_dict(optimizer.state_dict())
        if t > 3:
            optimizer.zero_grad()
    assert_same_training((model, optimizer), (other, plain))


def test_live_hyper_parameters_and_replaced_weights():
    model, other = twins()
    optimizer, plain = (adamas.SGD(groups(m), lr=0.01, momentum=0.9) for m in (model, other))
    optimizer.release(model)
    for t in range(4):
        for m, o in ((model, optimizer), (other, plain)):
            backward(m, batch(t))
            o.step()
            o.zero_grad()
            o.param_groups[1]["lr"] *= 0.5
            if t == 0:
                state = o.state[m.scale]  # type: ignore[index]
                state["momentum_buffer"] = torch.full_like(state["momentum_buffer"], 0.25)
            if t == 1:
                weight = m.embed.weight  # type: ignore[union-attr]
                weight.data = weight.data.clone().t().contiguous().t()  # type: ignore[union-attr]
            if t == 2:
                o.param_groups[0]["momentum"] = 0.0  # another rule
    assert_same_training((model, optimizer), (other, plain))


def test_a_stale_norm_is_that_of_the_step_before():
    model, other = twins()
    optimizer = adamas.SGD(model.parameters(), lr=0.1, clip_norm=0.05)
    plain = adamas.SGD(other.parameters(), lr=0.1)
    optimizer.release(model, stale_clip_norm=True)
    factor = 1.0
    for t in range(4):
        backward(model, batch(t))
        optimizer.step()
        backward(other, batch(t))
        grads = [p.grad for p in other.parameters() if p.grad is not None]
        norm = torch.cat([g.double().flatten() for g in grads]).norm().item()
        report = optimizer.last_step
        assert report is not None
        assert (report.norm, report.clip_factor) == (pytest.approx(norm, rel=1e-6), pytest.approx(factor, rel=1e-6))
        for g in grads:
            g.mul_(report.clip_factor)
        plain.step()
        plain.zero_grad()
        factor = min(1.0, 0.05 / (norm + 1e-6))
    assert factor < 1
    torch.testing.assert_close(copies(model.parameters()), copies(other.parameters()), rtol=1e-6, atol=1e-7)


def test_copies_of_a_released_optimizer_are_plain():
    model, _ = twins()
    optimizer = adamas.AdamW(model.parameters())
    optimizer.release(model)
    other = copy.deepcopy(optimizer)
    p = other.param_groups[0]["params"][0]
    before = p.detach().clone()
    p.grad = torch.ones_like(p)
    other.step()
    assert not torch.equal(p, before)


def test_remove_gives_the_gradients_back():
    model, _ = twins()
    optimizer = adamas.AdamW(model.parameters())
    optimizer.release(model).remove()
    before = copies(model.parameters())
    backward(model, batch(0))
    assert model.scale.grad is not None  # type: ignore[union-attr]
    assert_same_bits(copies(model.parameters()), before)
    optimizer.release(model)


def test_a_training_that_is_dropped_is_gone():
    """Without remove(), too: hooks that held the optimizer would keep it and the model for ever."""

    def live() -> list[weakref.ref[Any]]:
        model, _ = twins()
        optimizer = adamas.AdamW(groups(model))
        handle = optimizer.release(model)
        backward(model, batch(0))
        optimizer.step()
        return [weakref.ref(each) for each in (optimizer, handle, model, *model.parameters())]

    references = live()
    gc.collect()
    assert not any(reference() is not None for reference in references)
    assert allocator._users == 0
