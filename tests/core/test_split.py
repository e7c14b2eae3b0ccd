"""split24 and split32: a 16-bit weight and the bits below it are the float32 weight."""

from __future__ import annotations

import pytest
import torch

import adamas
from adamas.rounding import LOW, ROUNDINGS, Dice

DICE = Dice(0, 1, 0)


def through(rounding: str, dtype: torch.dtype, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the 16-bit weights that values are written as, and what they are read as."""
    split = ROUNDINGS[rounding]
    weight, low = torch.zeros_like(values, dtype=dtype), torch.zeros_like(values, dtype=split.low)
    split.write(weight, values, DICE, low)
    return weight, split.read(weight, low, torch.float32)


@pytest.mark.parametrize("exponent", [-126, -20, 0, 126])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_every_mantissa(exponent: int, sign: float) -> None:
    bits = torch.arange(1 << 23, dtype=torch.int32) + ((exponent + 127) << 23)
    values = bits.view(torch.float32) * sign
    for rounding, most in (("split32", 0.0), ("split24", 255 * 2.0**-23)):
        weight, read = through(rounding, torch.bfloat16, values)
        assert bool(((read - values).abs() <= most * values.abs()).all())
        near = weight.isfinite()
        assert bool(((weight.float() - values).abs() <= values.abs() * 2.0**-8)[near].all())


@pytest.mark.parametrize(("rounding", "grain"), [("split32", 0.0), ("split24", 2.0**-18)])
def test_float16(rounding: str, grain: float) -> None:
    torch.manual_seed(0)
    values = torch.cat([torch.randn(100_000) * 2.0**k for k in range(-10, 12)])
    values = values[(values.abs() > 2.0**-14) & (values.abs() < 65000)]
    _, read = through(rounding, torch.float16, values)
    assert bool(((read - values).abs() <= grain * values.abs() * 1.01).all())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("rounding", ["split24", "split32"])
def test_what_is_not_finite(rounding: str, dtype: torch.dtype) -> None:
    values = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0])
    weight, read = through(rounding, dtype, values)
    assert torch.equal(weight.nan_to_num(7.0), values.to(dtype).nan_to_num(7.0))
    assert torch.equal(read.nan_to_num(7.0), values.nan_to_num(7.0))


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_split32_trains_as_float32_does(engine: str) -> None:
    torch.manual_seed(1)
    start = torch.randn(3, 50).bfloat16()
    a, b = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.float())
    short = adamas.AdamW([a], lr=1e-4, state_format="float32", rounding="split32", engine=engine)
    wide = adamas.AdamW([b], lr=1e-4, engine=engine)
    for _ in range(1000):
        a.grad = torch.randn(3, 50).bfloat16()
        b.grad = a.grad.float()
        short.step()
        wide.step()
    state = short.state[a]
    assert torch.equal(ROUNDINGS["split32"].read(a.detach(), state[LOW], torch.float32), b.detach())
    assert torch.equal(state["exp_avg_sq"], wide.state[b]["exp_avg_sq"])


@pytest.mark.parametrize("state_format", ["float32", "int8", "int4"])
def test_small_updates_are_not_lost(state_format: str) -> None:
    moved = {}
    for rounding in ("nearest", "split24"):
        p = torch.nn.Parameter(torch.ones(4, 64, dtype=torch.bfloat16))
        optimizer = adamas.AdamW([p], lr=1e-4, weight_decay=0.0, state_format=state_format, rounding=rounding)
        p.grad = torch.ones_like(p)
        for _ in range(100):
            optimizer.step()
        weight = ROUNDINGS[rounding].read(p.detach(), optimizer.state[p].get(LOW), torch.float32)
        moved[rounding] = 1.0 - weight.mean().item()
    assert moved["nearest"] == 0.0
    assert moved["split24"] == pytest.approx(0.01, rel=0.1)  # 1e-4 is 6.55 grains of 2^-16, and goes as 7


def test_bits_below_of_another_rounding_are_refused() -> None:
    p = torch.nn.Parameter(torch.ones(5, dtype=torch.bfloat16))
    p.grad = torch.ones_like(p)
    optimizer = adamas.AdamW([("head.bias", p)], rounding="split24")
    optimizer.step()
    optimizer.param_groups[0]["rounding"] = "split32"
    with pytest.raises(RuntimeError, match=r"weight_low of parameter 'head.bias'.* is torch.int8"):
        optimizer.step()


def test_float32_weights_are_written_plainly() -> None:
    p = torch.nn.Parameter(torch.ones(5))
    p.grad = torch.ones_like(p)
    optimizer = adamas.AdamW([p], rounding="split24")
    optimizer.step()
    assert LOW not in optimizer.state[p]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_full_precision_weights_come_and_go(dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    exact = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.BatchNorm1d(20))
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.BatchNorm1d(20))
    model[0].to(dtype)
    optimizer = adamas.AdamW(model.named_parameters(), lr=1e-3, state_format="float32", rounding="split32")
    optimizer.load_full_precision_state_dict(model, exact.state_dict())
    assert torch.equal(model.state_dict()["0.weight"], exact.state_dict()["0.weight"].to(dtype))
    back = optimizer.full_precision_state_dict(model)
    for name, value in exact.state_dict().items():
        # What is below float16's smallest normal number is kept to 2^-39.
        assert torch.allclose(back[name], value, rtol=0.0, atol=0.0 if dtype == torch.bfloat16 else 2.0**-39), name
    # and a step goes on from there, as in float32
    wide = adamas.AdamW(exact.named_parameters(), lr=1e-3)
    for p, q in zip(model.parameters(), exact.parameters(), strict=True):
        p.grad = torch.randn_like(p)
        q.grad = p.grad.float()
    optimizer.step()
    wide.step()
    after, wanted = optimizer.full_precision_state_dict(model), exact.state_dict()
    assert torch.allclose(after["0.weight"], wanted["0.weight"], rtol=1e-6, atol=2.0**-39)
    assert torch.equal(after["1.weight"], wanted["1.weight"])


def test_weights_of_another_model_are_refused() -> None:
    model = torch.nn.Linear(3, 2).bfloat16()
    optimizer = adamas.AdamW(model.parameters(), rounding="split24")
    before = model.weight.detach().clone()
    with pytest.raises(ValueError, match=r"missing \['bias'\], unexpected \['other'\]"):
        optimizer.load_full_precision_state_dict(model, {"weight": torch.ones(2, 3), "other": torch.ones(1)})
    assert torch.equal(model.weight, before)
