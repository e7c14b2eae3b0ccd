"""eps_mode, cautious and nesterov of Adam and AdamW: what their papers say, on the engine that is promised."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import adamas
from adamas.rules import COMPILED, adam_variant
from adamas.rules.adam_variants import angle

from ..oracles.adam_variants import run
from .pairs import ENGINES

STEPS = 12
VARIANTS = list(itertools.product(("add", "inside", "atan2"), (False, True), (False, True), (False, True)))
KEYS = ("eps_mode", "nesterov", "cautious", "amsgrad")


def gradients(seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    sizes = np.exp(3 * random.standard_normal((5, 33)))
    return [sizes * random.standard_normal((5, 33)) * (random.random((5, 33)) < 0.9) for _ in range(STEPS)]


def trained(
    name: str, grads: list[np.ndarray], dtype: torch.dtype, **hyper: Any
) -> tuple[np.ndarray, adamas.Optimizer]:
    w = torch.nn.Parameter(torch.from_numpy(np.full((5, 33), 0.5)).to(dtype))
    optimizer = getattr(adamas, name)([w], **hyper)
    for g in grads:
        w.grad = torch.from_numpy(g).to(dtype)
        optimizer.step()
    return w.detach().double().numpy(), optimizer


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_is_what_the_paper_says(variant: tuple, dtype: torch.dtype) -> None:
    hyper = {**dict(zip(KEYS, variant, strict=True)), "lr": 1e-2, "betas": (0.8, 0.9), "eps": 1e-2}
    grads = [g.astype(np.float32).astype(np.float64) for g in gradients()]
    expected = run(np.full((5, 33), 0.5), grads, weight_decay=0.1, **hyper).thetas[-1]
    actual, _ = trained("AdamW", grads, dtype, weight_decay=0.1, **hyper)
    # atan2's series is right to 2e-8, float32 to 6e-8 of a weight in each of the steps
    tolerance = 1e-12 if dtype == torch.float64 and variant[0] != "atan2" else 3e-8 * hyper["lr"] * STEPS
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance if dtype == torch.float64 else 2e-6)


@pytest.mark.parametrize(
    "hyper", [{"eps_mode": "inside"}, {"eps_mode": "atan2"}, {"nesterov": True}, {"cautious": True}], ids=str
)
@pytest.mark.parametrize("engine", ENGINES)
def test_with_l2_and_maximize(hyper: dict[str, Any], engine: str) -> None:
    grads = gradients(1)
    more = {"lr": 1e-2, "weight_decay": 0.1, "maximize": True}
    expected = run(np.full((5, 33), 0.5), grads, decoupled=False, **more, **hyper).thetas[-1]
    actual, _ = trained("Adam", grads, torch.float64, engine=engine, **more, **hyper)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_each_idea_alone_is_compiled_and_others_run_on_the_reference(variant: tuple) -> None:
    hyper = dict(zip(KEYS, variant, strict=True))
    _, optimizer = trained("AdamW", gradients()[:1], torch.float32, **hyper)
    ideas = (variant[0] != "add") + sum(variant[1:3]) + variant[3]
    assert optimizer._plan is not None
    launches = [type(batch._launch).__name__ for batch in optimizer._plan._batches]
    assert launches == ["CpuLaunch" if ideas <= 1 else "ReferenceLaunch"]
    assert (optimizer.rule(optimizer.param_groups[0]) in COMPILED) == (ideas <= 1)
    if ideas > 1:
        with pytest.raises(RuntimeError, match="is not compiled"):
            trained("AdamW", gradients()[:1], torch.float32, engine="cpu", **hyper)


def test_the_same_variant_is_the_same_rule() -> None:
    assert adam_variant("atan2", True, False, False) is adam_variant("atan2", True, False, False)
    names = {adam_variant(*variant).__name__ for variant in VARIANTS}
    assert len(names) == len(VARIANTS)


@given(st.floats(-(2.0**100), 2.0**100, width=32), st.floats(0, 2.0**100, width=32))
def test_the_angle(y: float, x: float) -> None:
    if 0 < max(abs(y), x) < 1e-37:
        return
    for dtype, rel in ((torch.float64, 3e-8), (torch.float32, 4e-7)):
        got = angle(torch.tensor([y], dtype=dtype), torch.tensor([x], dtype=dtype)).item()
        assert got == pytest.approx(math.atan2(y, x), rel=rel, abs=1e-37)


def test_no_step_of_atan2_is_beyond_2_lr_and_scale_does_not_matter() -> None:
    grads = gradients(2)
    hyper = {"lr": 1.0, "weight_decay": 0.0, "eps_mode": "atan2"}
    first, _ = trained("AdamW", grads, torch.float32, **hyper)
    for power in (-40, 20):
        again, _ = trained("AdamW", [g * 2.0**power for g in grads], torch.float32, **hyper)
        np.testing.assert_array_equal(again, first)
    one, _ = trained("AdamW", [np.zeros((5, 33)), 1e6 * np.ones((5, 33))], torch.float32, **hyper)
    assert np.abs(one - 0.5).max() <= 2.0
    assert np.isfinite(one).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_cautious_moves_only_with_the_gradient_and_makes_up_for_the_rest(engine: str) -> None:
    w = torch.nn.Parameter(torch.zeros(4))
    optimizer = adamas.AdamW([w], lr=0.1, weight_decay=0.5, betas=(0.9, 0.999), cautious=True, engine=engine)
    w.grad = torch.tensor([1.0, 1.0, 1.0, 1.0])
    optimizer.step()
    before = w.detach().clone()
    w.grad = torch.tensor([0.5, -0.5, -0.5, 0.0])
    optimizer.step()
    moved = w.detach() - before * (1 - 0.1 * 0.5)
    assert moved[0] < 0
    assert moved[1:].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-8)
    plain = torch.nn.Parameter(torch.zeros(1))
    reference = adamas.AdamW([plain], lr=0.1, weight_decay=0.5)
    for g in (1.0, 0.5):
        kept = plain.detach().clone()
        plain.grad = torch.tensor([g])
        reference.step()
    assert moved[0].item() == pytest.approx(4 * (plain.detach() - kept * 0.95).item(), rel=1e-5)  # one of four moves


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"eps_mode": "outside"}, "unknown eps_mode 'outside': there are add, inside, atan2"),
        ({"cautious": 1}, "cautious must be True or False, got 1"),
        ({"nesterov": None}, "nesterov must be True or False, got None"),
    ],
)
def test_wrong_values_are_refused(hyper: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adamas.AdamW([torch.nn.Parameter(torch.ones(2))], **hyper)
    with pytest.raises(ValueError, match=message):
        adamas.Adam([{"params": [torch.nn.Parameter(torch.ones(2))], **hyper}])


def test_groups_may_differ_and_change() -> None:
    a, b = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = adamas.AdamW([{"params": [a], "eps_mode": "atan2"}, {"params": [b]}], lr=0.1, weight_decay=0)
    for p in (a, b):
        p.grad = torch.ones(3)
    optimizer.step()
    assert a[0].item() == pytest.approx(b[0].item(), abs=1e-6)  # both move by lr at first
    optimizer.param_groups[1]["nesterov"] = True
    optimizer.step()
    assert optimizer.rule(optimizer.param_groups[1]).__name__ == "NesterovAdam"


def test_folding_is_refused() -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = adamas.AdamW(model.parameters(), cautious=True)
    with pytest.raises(ValueError, match="fold=True is defined for Adam and AdamW, not for CautiousAdam"):
        optimizer.release(model, accumulate=2, fold=True)
