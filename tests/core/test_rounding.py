"""Roundings: every 16-bit pattern, both neighbours at the right odds, nothing else; the same bits from both engines."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas.rounding import ROUNDINGS, Dice, stream_key

SHORT = (torch.bfloat16, torch.float16)


def through_sgd(values: torch.Tensor, dtype: torch.dtype, rounding: str, engine: str, step: int = 1) -> torch.Tensor:
    """Return float32 values written into zeros of a 16-bit dtype by an engine: p = 0 - 1 * (-values)."""
    p = torch.zeros(values.shape, dtype=dtype, requires_grad=True)
    optimizer = adamas.SGD([p], lr=1.0, engine=engine, rounding=rounding)
    optimizer.state[p]["step"] = torch.tensor(float(step - 1))
    p.grad = (-values).to(dtype)
    optimizer.step()
    return p.detach()


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_every_representable_number_is_kept(dtype: torch.dtype, rounding: str, engine: str) -> None:
    patterns = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).view(dtype)
    normal = patterns[patterns.float().abs().ge(1.2e-38) | patterns.eq(0) | patterns.isnan()]
    kept = through_sgd(normal.float(), dtype, rounding, engine)
    assert torch.equal(kept.isnan(), normal.isnan())
    assert torch.equal(kept[~kept.isnan()], normal[~normal.isnan()])


@given(st.floats(width=32, allow_nan=False), st.sampled_from(SHORT), st.integers(1, 10**9))
@settings(max_examples=300, deadline=None)
def test_stochastic_gives_a_neighbour(value: float, dtype: torch.dtype, step: int) -> None:
    values = torch.full((64,), value)
    target = torch.zeros(64, dtype=dtype)
    ROUNDINGS["stochastic"].write(target, values, Dice(stream_key(0, "w"), step, 0))
    down, up = neighbours(value, dtype)
    assert set(target.tolist()) <= {down, up}


def neighbours(value: float, dtype: torch.dtype) -> tuple[float, float]:
    """Return the largest number of the dtype at or below the value, and the smallest at or above it."""
    nearest = torch.tensor(value).to(dtype)
    if nearest.item() == value:
        return value, value
    towards = torch.tensor(-torch.inf if nearest.item() > value else torch.inf, dtype=dtype)
    other = torch.nextafter(nearest, towards).item()
    return min(nearest.item(), other), max(nearest.item(), other)


@pytest.mark.parametrize("value", [1.001, -0.3337, 3.1e-6, 2.0**-20 * 1.3])
@pytest.mark.parametrize("dtype", SHORT, ids=str)
def test_stochastic_is_unbiased(dtype: torch.dtype, value: float) -> None:
    n = 1 << 20
    target = torch.zeros(n, dtype=dtype)
    ROUNDINGS["stochastic"].write(target, torch.full((n,), value), Dice(stream_key(0, "w"), 1, 0))
    down, up = neighbours(torch.tensor(value).item(), dtype)
    # The mean of n draws of a two-point distribution: 5 standard deviations, plus the 2^-13 to which odds are resolved.
    tolerance = (up - down) * (5 * 0.5 / n**0.5 + 2.0**-13)
    assert abs(target.double().mean().item() - torch.tensor(value).item()) < tolerance


def test_random_numbers_look_random() -> None:
    rolls = Dice(stream_key(0, "w"), 1, 0).roll(torch.zeros(1 << 16)).double() / (1 << 16)
    assert abs(rolls.mean().item() - 0.5) < 5 * (1 / 12) ** 0.5 / 256
    others = [Dice(stream_key(0, "w"), 2, 0), Dice(stream_key(0, "w"), 1, 2), Dice(stream_key(1, "w"), 1, 0)]
    others.append(Dice(stream_key(0, "v"), 1, 0))
    for other in others:  # another step, operand, seed or tensor: uncorrelated, at any shift
        draws = other.roll(torch.zeros(1 << 16)).double() / (1 << 16)
        for shift in (0, 1, 64):
            correlation = torch.corrcoef(torch.stack([rolls, draws.roll(shift)]))[0, 1].item()
            assert abs(correlation) < 5 / 256
    counts = torch.bincount(Dice(7, 7, 0).roll(torch.zeros(1 << 16)) >> 8, minlength=256).double()
    assert ((counts - 256) ** 2 / 256).sum().item() < 255 + 6 * (2 * 255) ** 0.5  # chi-square, 6 sigma


def test_neighbours_are_spread_evenly() -> None:
    groups = Dice(stream_key(0, "w"), 1, 0).roll(torch.zeros(1 << 16)).view(-1, 16).double() / (1 << 16)
    for share in (0.1, 0.3, 0.5, 0.77):  # of 16, independent draws would be off by 6 here and there
        assert ((groups < share).sum(1) - 16 * share).abs().max().item() < 2
    starts = groups[:, 0]
    assert abs(torch.corrcoef(torch.stack([starts[::2], starts[1::2]]))[0, 1].item()) < 5 / 2**5.5


def test_index_past_32_bits_enters_the_key() -> None:
    # 2^32 elements cannot be allocated here: the key for high index words must differ, in the formula both engines use.
    dice = Dice(stream_key(0, "w"), 1, 0)
    a, b = dice.key()
    assert ((a + 0x9E3779B9) & 0xFFFFFFFF, b) != (a, b)


def test_reproducible_and_dependent_on_seed_and_name() -> None:
    def run(seed: int, name: str) -> torch.Tensor:
        p = torch.nn.Parameter(torch.ones(512, dtype=torch.bfloat16))
        optimizer = adamas.SGD([(name, p)], lr=1e-3, seed=seed)
        p.grad = torch.ones_like(p)
        optimizer.step()
        return p.detach().clone()

    assert torch.equal(run(0, "a"), run(0, "a"))
    assert not torch.equal(run(0, "a"), run(1, "a"))
    assert not torch.equal(run(0, "a"), run(0, "b"))
