"""``clip_update``: StableAdamW (arXiv 2304.13013, algorithm 2) on Adam, and the same clipping on its kin."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits, copies
from ..contract.pairs import every_engine
from ..contract.training import gradients, step, train, weights
from ..core.catalog import CASES, DTYPES, LAYOUTS, Case, same_bits

CLIPPING = [case for case in CASES if case.rule not in ("SGD", "Momentum", "Nesterov", "Adagrad", "Adamax", "Lion")]
every_case = pytest.mark.parametrize("case", CLIPPING, ids=lambda case: f"{case.optimizer}-{case.rule}")


class StableAdamW:
    """Algorithm 2 of the paper, in float64, with betas corrected as written there."""

    def __init__(self, p: torch.Tensor, lr: float, betas: tuple[float, float], eps: float, decay: float) -> None:
        self.p, self.lr, self.betas, self.eps, self.decay, self.t = p.double(), lr, betas, eps, decay, 0
        self.v, self.u = torch.zeros_like(self.p), torch.zeros_like(self.p)

    def step(self, g: torch.Tensor) -> float:
        self.t += 1
        g = g.double()
        beta1, beta2 = (b * (1 - b ** (self.t - 1)) / (1 - b**self.t) for b in self.betas)
        self.v = beta1 * self.v + (1 - beta1) * g
        self.u = beta2 * self.u + (1 - beta2) * g**2
        rms = (g**2 / self.u.clamp_min(self.eps**2)).mean().sqrt().item()
        lr = self.lr / max(1.0, rms)
        self.p = self.p - lr * self.decay * self.p - lr * self.v / (self.u.sqrt() + self.eps)
        return rms


def bursts(p: torch.Tensor) -> list[torch.Tensor]:
    """Gradients that grow a hundredfold at times: what the clipping is for."""
    generator = torch.Generator().manual_seed(3)
    sizes = (1, 1, 1, 100, 1, 1, 30, 1, 1000, 1)
    return [size * torch.randn(p.shape, generator=generator) for size in sizes]


@every_engine
def test_is_the_papers_algorithm(engine: str):
    w = torch.nn.Parameter(torch.randn(40, 9))
    hyper: dict[str, Any] = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-6}
    oracle = StableAdamW(w.detach(), decay=0.1, **hyper)
    optimizer = adamas.AdamW([("w", w)], weight_decay=0.1, clip_update=1.0, engine=engine, **hyper)
    clipped = 0
    for g in bursts(w):
        step(optimizer, [w], [g])
        rms = oracle.step(g)
        clipped += rms > 1.05
        assert optimizer.last_step is not None
        assert optimizer.last_step.update_rms == {"w": pytest.approx(rms, rel=1e-6)}
        torch.testing.assert_close(w.detach().double(), oracle.p, rtol=1e-5, atol=1e-6)
    assert clipped >= 3


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_case
def test_both_engines_clip_to_the_same_bits(case: Case, dtype: torch.dtype):
    for layout in ("row-major", "transposed"):
        w = LAYOUTS[layout]((3, 4, 5, 7), dtype)
        w.copy_(torch.randn(3, 4, 5, 7))
        grads = [g.to(dtype) for g in bursts(w)]
        results = []
        for engine in ("reference", "cpu"):
            p = torch.empty_strided(w.shape, w.stride(), dtype=dtype).copy_(w).requires_grad_()
            optimizer = case.make([p], engine=engine, clip_update=0.5, state_format="auto")
            seen = []
            for g in grads:
                p.grad = g
                optimizer.step()
                assert optimizer.last_step is not None
                seen += optimizer.last_step.update_rms.values()
            results.append((p.detach(), seen))
        (expected, rms), (actual, compiled) = results
        assert rms == compiled
        assert max(rms) > 0.5
        assert same_bits(actual, expected)


@every_case
def test_updates_that_are_small_enough_keep_their_bits(case: Case):
    params, plain = weights(), weights()
    grads = gradients(params, steps=4)
    train(case.make([*params], clip_update=1e9), params, grads)
    train(case.make([*plain]), plain, grads)
    assert_same_bits(copies(params), copies(plain))


@every_engine
def test_each_tensor_is_clipped_for_itself(engine: str):
    calm, wild = (torch.nn.Parameter(torch.zeros(50)) for _ in range(2))
    alone = torch.nn.Parameter(torch.zeros(50))
    optimizer = adamas.AdamW([calm, wild], clip_update=1.0, engine=engine)
    plain = adamas.AdamW([alone], engine=engine)
    for g in bursts(calm):
        steady = torch.sign(g)
        step(optimizer, [calm, wild], [steady, g])
        step(plain, [alone], [steady])
    assert_same_bits(calm.detach(), alone.detach())
    assert optimizer.last_step is not None
    assert set(optimizer.last_step.update_rms) == {"0.0", "0.1"}


def test_a_group_may_go_without():
    a, b = (torch.nn.Parameter(torch.zeros(5)) for _ in range(2))
    optimizer = adamas.AdamW([{"params": [a], "clip_update": None}, {"params": [b]}], clip_update=0.1, lr=1.0)
    step(optimizer, [a, b], [torch.ones(5), torch.ones(5)])
    assert a.tolist() == pytest.approx([-1.0] * 5)
    assert b.tolist() == pytest.approx([-0.1] * 5)
    assert optimizer.last_step is not None
    assert optimizer.last_step.update_rms == {"1.0": pytest.approx(1.0)}


def test_it_sees_the_gradient_after_clipping_by_norm_and_unscaling():
    params, plain = weights(), weights()
    optimizer = adamas.AdamW(params, clip_update=0.5, clip_norm=0.25)
    expected = adamas.AdamW(plain, clip_update=0.5)
    for grads in gradients(params, steps=3):
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(1024.0), torch.tensor(0.0)  # type: ignore
        step(optimizer, params, [1024 * g for g in grads])
        assert optimizer.last_step is not None
        step(expected, plain, [optimizer.last_step.clip_factor * g for g in grads])
        assert expected.last_step is not None
        ours, theirs = optimizer.last_step.update_rms, expected.last_step.update_rms
        assert ours == {key: pytest.approx(rms, rel=1e-6) for key, rms in theirs.items()}


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adamax", "Lion"])
def test_without_a_second_moment_it_is_refused(name: str):
    with pytest.raises(ValueError, match=r"clip_update needs a running mean of squared gradients, and .* keeps none"):
        getattr(adamas, name)(weights(), clip_update=1.0)


@pytest.mark.parametrize("value", [0, -1, math.nan, "1"])
def test_a_threshold_is_a_positive_number(value: Any):
    with pytest.raises(ValueError, match="clip_update must be None or a finite number > 0, got"):
        adamas.AdamW([{"params": weights(), "clip_update": value}])


def test_zero_gradients_clip_nothing():
    w = torch.nn.Parameter(torch.ones(4))
    optimizer = adamas.AdamW([w], lr=0.0, eps=0.0, clip_update=1.0)
    step(optimizer, [w], [torch.zeros(4)])
    assert optimizer.last_step is not None
    assert optimizer.last_step.update_rms == {"0.0": 0.0}
