"""bfloat16 learns: what nearest rounding loses, stochastic rounding keeps on average."""

from __future__ import annotations

import pytest
import torch

import adamas


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_second_moment_reaches_its_true_value(engine: str) -> None:
    # From v = 0 a step at beta2 = 0.999 moves v by 0.1 %, a grain of bfloat16 is 0.4 to 0.8 %: nearest stalls.
    p = torch.nn.Parameter(torch.ones(4096, dtype=torch.bfloat16))
    optimizer = adamas.AdamW([p], lr=1e-3, weight_decay=0, engine=engine)
    g = torch.full_like(p, 0.1)
    steps = 6000 if engine == "cpu" else 600
    for _ in range(steps):
        p.grad = g
        optimizer.step()
    v = optimizer.state[p]["exp_avg_sq"]
    assert v.dtype == torch.bfloat16
    true = g[0].double().item() ** 2 * (1 - 0.999**steps)
    assert v.double().mean().item() == pytest.approx(true, rel=0.02)


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_pure_decay_shrinks_weights(engine: str) -> None:
    p = torch.nn.Parameter(torch.ones(4096, dtype=torch.bfloat16))
    optimizer = adamas.AdamW([p], lr=1e-3, weight_decay=0.1, engine=engine)
    for _ in range(2000):
        p.grad = torch.zeros_like(p)
        optimizer.step()
    # (1 - 1e-4)^2000 = 0.8187; each weight is a martingale around it, so the mean is within 5 standard errors.
    assert p.double().mean().item() == pytest.approx((1 - 1e-4) ** 2000, abs=0.005)


def test_torch_and_nearest_do_not_decay() -> None:
    weights = [torch.nn.Parameter(torch.ones(64, dtype=torch.bfloat16)) for _ in range(2)]
    optimizers = [
        torch.optim.AdamW([weights[0]], lr=1e-3, weight_decay=0.1),
        adamas.AdamW([weights[1]], lr=1e-3, weight_decay=0.1, rounding="nearest"),
    ]
    for p, optimizer in zip(weights, optimizers, strict=True):
        for _ in range(200):
            p.grad = torch.zeros_like(p)
            optimizer.step()
        assert torch.equal(p, torch.ones_like(p))


@pytest.mark.parametrize("rounding", ["auto", "stochastic", "nearest"])
def test_auto_rounding(rounding: str) -> None:
    from adamas.rounding import rounding_for

    wide, short = [torch.float32], [torch.bfloat16]
    assert rounding_for(rounding, torch.float32, wide).name == ("nearest" if rounding == "auto" else rounding)
    assert rounding_for(rounding, torch.float32, short).name == ("stochastic" if rounding == "auto" else rounding)
    assert rounding_for(rounding, torch.bfloat16, wide).name == ("stochastic" if rounding == "auto" else rounding)


@pytest.mark.parametrize("state_format", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_state_format_is_what_is_stored(dtype: torch.dtype, state_format: str) -> None:
    p = torch.nn.Parameter(torch.ones(5, dtype=dtype))
    optimizer = adamas.Adam([p], state_format=state_format)
    p.grad = torch.ones_like(p)
    optimizer.step()
    wanted = dtype if state_format == "auto" else getattr(torch, state_format)
    assert {optimizer.state[p][key].dtype for key in ("exp_avg", "exp_avg_sq")} == {wanted}


def test_closer_to_the_truth_than_torch() -> None:
    torch.manual_seed(0)
    start = torch.randn(4096).bfloat16()
    grads = [torch.randn(4096).bfloat16() * 0.1 + 0.05 for _ in range(300)]
    exact = torch.nn.Parameter(start.double())
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = [
        torch.optim.AdamW([exact], lr=1e-4),
        adamas.AdamW([ours], lr=1e-4),
        torch.optim.AdamW([theirs], lr=1e-4),
    ]
    for g in grads:
        for p, optimizer in zip((exact, ours, theirs), optimizers, strict=True):
            p.grad = g.to(p.dtype)
            optimizer.step()
    moved = exact.mean().item() - start.double().mean().item()
    ours_moved = ours.double().mean().item() - start.double().mean().item()
    theirs_moved = theirs.double().mean().item() - start.double().mean().item()
    assert ours_moved == pytest.approx(moved, rel=0.05)
    assert abs(theirs_moved - moved) > 5 * abs(ours_moved - moved)
