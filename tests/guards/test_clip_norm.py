"""``clip_norm``: the step of ``torch.nn.utils.clip_grad_norm_`` and the plain step, with no gradient written."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits, copies, distance, ulp
from ..contract.pairs import STATEFUL, every_engine, every_name, ours
from ..contract.training import gradients, snapshot, step, train, weights


@every_engine
@every_name
def test_is_torchs_clipping_to_two_ulp(name: str, engine: str):
    mine, theirs = weights(), weights()
    optimizer = ours(name, mine, engine, clip_norm=0.5, **STATEFUL[name])
    plain = ours(name, theirs, engine, **STATEFUL[name])
    for grads in gradients(mine, steps=8):
        before = copies(theirs)
        for p, g in zip(theirs, grads, strict=True):
            p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        plain.step()
        step(optimizer, mine, grads)
        assert_same_bits([p.grad for p in mine], grads, "the gradients")
        assert optimizer.last_step.norm == pytest.approx(norm.item(), rel=1e-6)  # type: ignore[attr-defined]
        for p, q, b in zip(mine, theirs, before, strict=True):
            # Two ulp of the larger of weight and step: one for the factor, one for the product.
            scale = torch.maximum(q.detach().abs(), (q.detach() - b).abs())
            assert (distance(p, q) <= 2 * ulp(scale)).all()
            with torch.no_grad():
                p.copy_(q)


@every_engine
def test_shorter_gradients_are_left_alone(engine: str):
    mine, plain = weights(), weights()
    grads = gradients(mine, steps=4)
    optimizer = ours("AdamW", mine, engine, clip_norm=1e6)
    train(optimizer, mine, grads)
    train(ours("AdamW", plain, engine), plain, grads)
    assert_same_bits(copies(mine), copies(plain))
    assert optimizer.last_step.clip_factor == 1.0  # type: ignore[attr-defined]


@every_engine
def test_two_engines_two_groups_and_two_dtypes_have_one_norm(engine: str):
    a, b = torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(4, dtype=torch.bfloat16))
    groups = [{"params": [("a", a)], "engine": "reference"}, {"params": [("b", b)], "engine": engine}]
    optimizer = adamas.SGD(groups, lr=1.0, clip_norm=1.0)  # type: ignore[arg-type]
    step(optimizer, [a, b], [torch.tensor([2.0, 2.0, 4.0]), torch.full((4,), 2.5).bfloat16()])
    report = optimizer.last_step
    assert report is not None
    assert (report.norm, report.norms) == (7.0, {"a": 24**0.5, "b": 5.0})
    assert report.clip_factor == 1.0 / (7.0 + 1e-6)
    assert a.tolist() == pytest.approx([-2 / 7, -2 / 7, -4 / 7])


@every_engine
def test_with_a_gradient_scaler_the_norm_is_that_of_the_unscaled(engine: str):
    mine, plain = weights(), weights()
    optimizer, expected = (ours("AdamW", ps, engine, clip_norm=0.5) for ps in (mine, plain))
    for grads in gradients(mine, steps=3):
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(1024.0), torch.tensor(0.0)  # type: ignore
        step(optimizer, mine, [1024 * g for g in grads])
        step(expected, plain, grads)
        assert optimizer.last_step.norm == expected.last_step.norm  # type: ignore[attr-defined]
    assert_same_bits(copies(mine), copies(plain))


@pytest.mark.parametrize("maximize", [False, True])
def test_direction_does_not_matter(maximize: bool):
    w = torch.nn.Parameter(torch.zeros(2))
    optimizer = adamas.SGD([w], lr=1.0, maximize=maximize, clip_norm=1.0)
    step(optimizer, [w], [torch.tensor([3.0, 4.0])])
    assert w.tolist() == pytest.approx([0.6, 0.8] if maximize else [-0.6, -0.8])


def test_it_may_be_changed_while_training():
    w = torch.nn.Parameter(torch.zeros(2))
    optimizer = adamas.SGD([w], lr=1.0, clip_norm=1.0)
    optimizer.guards.clip_norm = 2.0
    step(optimizer, [w], [torch.tensor([3.0, 4.0])])
    assert w.tolist() == pytest.approx([-1.2, -1.6])
    optimizer.guards.clip_norm = None
    step(optimizer, [w], [torch.tensor([3.0, 4.0])])
    assert w.tolist() == pytest.approx([-4.2, -5.6])
    assert optimizer.last_step is not None
    assert optimizer.last_step.norm is None


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
@every_engine
def test_a_bad_gradient_propagates_as_in_torch(engine: str, bad: float):
    mine, theirs = weights(), weights()
    grads = gradients(mine, steps=1)[0]
    grads[1][3] = bad
    step(ours("SGD", mine, engine, clip_norm=0.5), mine, grads)
    for p, g in zip(theirs, grads, strict=True):
        p.grad = g.clone()
    torch.nn.utils.clip_grad_norm_(theirs, 0.5)
    ours("SGD", theirs, engine).step()
    assert_same_bits(copies(mine), copies(theirs))


@pytest.mark.parametrize("value", [0, -1.0, torch.inf, torch.nan, "1", True])
def test_a_norm_is_a_positive_number(value: Any):
    with pytest.raises(ValueError, match="clip_norm must be None or a finite number > 0, got"):
        adamas.AdamW(weights(), clip_norm=value)
    with pytest.raises(ValueError, match="clip_norm"):
        adamas.AdamW(weights()).guards.clip_norm = value


def test_it_belongs_to_no_group():
    with pytest.raises(ValueError, match="unknown key 'clip_norm'"):
        adamas.AdamW([{"params": weights(), "clip_norm": 1.0}])


def test_a_differentiable_step_refuses_it():
    with pytest.raises(NotImplementedError, match="clip_norm"):
        adamas.SGD(weights(), differentiable=True, clip_norm=1.0)


def test_the_snapshot_of_an_unclipped_report():
    params = weights()
    optimizer = adamas.AdamW(params)
    assert optimizer.last_step is None
    train(optimizer, params, gradients(params, steps=1))
    report = optimizer.last_step
    assert report is not None
    assert (report.skipped, report.norm, report.norms, report.update_rms) == (False, None, {}, {})
    assert snapshot(optimizer, params)
