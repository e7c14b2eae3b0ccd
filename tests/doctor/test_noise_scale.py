"""The noise scale without a second batch, and from parts of one, against gradients of every example."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, vmap

import adamas
from adamas.doctor import NoiseMeter, from_looks, from_parts, square_of
from adamas.doctor.noise_scale import LEAST

IN, HIDDEN, OUT, FRESH = 16, 32, 8, 4096
READ = (50, 100, 150, 200, 300, 400)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(IN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, OUT))


class Training:
    """A student of a noisy teacher, with the exact noise scale at any time."""

    def __init__(self, batch: int, lr: float, seed: int, every: int) -> None:
        torch.manual_seed(0)
        self.teacher = mlp()
        torch.manual_seed(seed)
        self.net, self.batch = mlp(), batch
        self.optimizer = adamas.AdamW(self.net.parameters(), lr=lr, weight_decay=0)
        self.optimizer.diagnose_every = every
        self.meter = NoiseMeter()

    def data(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(n, IN)
        return x, self.teacher(x).detach() + torch.randn(n, OUT)

    def step(self, parts: int = 4) -> None:
        x, y = self.data(self.batch)
        self.optimizer.zero_grad()
        small = 0.0
        for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True):
            (((self.net(a) - b) ** 2).mean() / parts).backward()
            small = small or parts**2 * square_of(p.grad for p in self.net.parameters())
        large = square_of(p.grad for p in self.net.parameters())
        self.meter.add(*from_parts(small, self.batch // parts, large, self.batch))
        self.optimizer.step()

    def exact(self) -> float:
        def loss(weights: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return ((functional_call(self.net, weights, (x[None],)) - y[None]) ** 2).mean()

        weights = {name: p.detach() for name, p in self.net.named_parameters()}
        each = vmap(grad(loss), in_dims=(None, 0, 0))(weights, *self.data(FRESH))
        rows = torch.cat([g.flatten(1) for g in each.values()], 1).double()
        mean = rows.mean(0)
        noise = ((rows - mean) ** 2).sum(1).mean().item() * FRESH / (FRESH - 1)
        return noise / ((mean @ mean).item() - noise / FRESH)


@pytest.mark.parametrize("every", [1, 4, 16])
def test_within_a_factor_2_in_nine_of_ten_readings(every: int) -> None:
    close, covered, n = 0, 0, 0
    for batch, lr, seed in ((64, 1e-4, 1), (16, 1e-4, 2), (64, 3e-4, 3)):
        training = Training(batch, lr, seed, every)
        for t in range(1, READ[-1] + 1):
            training.step()
            if t in READ and t >= LEAST * every:
                assert training.optimizer.doctor is not None
                scale, exact = from_looks(list(training.optimizer.doctor.looks), batch), training.exact()
                assert scale is not None
                close += exact / 2 <= scale.examples <= 2 * exact
                covered += scale.low <= exact <= scale.high
                n += 1
    assert close >= 0.9 * n, f"{close} of {n}"
    assert covered >= 0.8 * n, f"{covered} of {n} in their range"


def test_parts_agree_in_the_mean() -> None:
    training = Training(64, 0.0, 4, 1)  # nothing moves, so that all readings are of one truth
    training.meter = NoiseMeter(memory=1e6)
    for _ in range(300):
        training.step()
    scale, exact = training.meter.scale(), training.exact()
    assert scale is not None
    assert scale.examples == pytest.approx(exact, rel=0.2)
    assert scale.low <= exact <= scale.high


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(1, 64), st.integers(2, 64))
def test_two_sizes_give_both_back(signal: float, noise: float, size: int, parts: int) -> None:
    given = (signal + noise / size, size, signal + noise / (size * parts), size * parts)
    assert from_parts(*given) == (
        pytest.approx(signal, rel=1e-6, abs=1e-9 * noise),
        pytest.approx(noise, rel=1e-6, abs=1e-6 * size * signal),
    )


@pytest.mark.parametrize(("size", "whole"), [(16, 16), (0, 16), (32, 16)])
def test_parts_must_be_smaller_than_the_whole(size: int, whole: int) -> None:
    with pytest.raises(ValueError, match="a part must be smaller than the whole"):
        from_parts(1.0, size, 1.0, whole)


def test_there_is_none_before_there_are_enough_readings_or_without_a_mean_of_gradients() -> None:
    meter = NoiseMeter()
    for _ in range(LEAST - 1):
        meter.add(1.0, 2.0)
    meter.add(math.nan, 1.0)
    assert meter.scale() is None
    meter.add(1.0, 2.0)
    scale = meter.scale()
    assert scale is not None
    assert (scale.examples, scale.low, scale.high) == (2.0, pytest.approx(2.0), pytest.approx(2.0))
    w = nn.Parameter(torch.ones(3))
    optimizer = adamas.RMSprop([w])
    optimizer.diagnose_every = 1
    for _ in range(9):
        w.grad = torch.ones(3)
        optimizer.step()
    assert optimizer.doctor is not None
    assert from_looks(list(optimizer.doctor.looks), 8) is None


def test_pure_noise_has_no_end() -> None:
    meter = NoiseMeter()
    generator = torch.Generator().manual_seed(0)
    for x in torch.randn(100, generator=generator).tolist():
        meter.add(x, 50.0)
    scale = meter.scale()
    assert scale is not None
    assert scale.high == math.inf
    assert scale.low > 5


@pytest.mark.parametrize(
    ("name", "hyper"),
    [("Lion", {}), ("Adamax", {}), ("NAdam", {}), ("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True})],
)
def test_the_mean_before_the_step_is_a_mean(name: str, hyper: dict) -> None:
    """With gradients that are all the same, g m is |g|^2 whatever the rule's weights are."""
    w = nn.Parameter(torch.ones(3))
    optimizer = getattr(adamas, name)([w], lr=1e-4, **hyper)
    optimizer.diagnose_every = 1
    for _ in range(200):
        w.grad = torch.tensor([1.0, 2.0, 3.0])
        optimizer.step()
    assert optimizer.doctor is not None
    # torch counts no steps for SGD, so its mean is right after the first few only.
    for look in list(optimizer.doctor.looks)[199 if name == "SGD" else 1 :]:
        seen = look.seen[0]
        assert seen.sums.along / seen.whole == pytest.approx(14.0, rel=1e-4)
