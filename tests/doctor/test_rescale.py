"""`adamas.rescale`: the rules of thumb, live learning rates, nothing changed where it cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import adamas


def made(name: str = "AdamW", **hyper: Any) -> adamas.Optimizer:
    return getattr(adamas, name)([torch.nn.Parameter(torch.ones(3))], **hyper)


@given(st.floats(0.01, 100))
def test_half_life_and_timescale_stay_in_examples(kappa: float) -> None:
    optimizer = made(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1)
    adamas.rescale(optimizer, kappa)
    group = optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(1e-3 * math.sqrt(kappa))
    assert kappa * math.log(0.5) / math.log(group["betas"][1]) == pytest.approx(
        kappa**0 * math.log(0.5) / math.log(0.999)
    )
    assert kappa / (group["lr"] * group["weight_decay"]) == pytest.approx(1 / (1e-3 * 0.1))
    assert group["betas"][0] == 0.9


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_twice_is_the_product(a: float, b: float) -> None:
    once, twice = made(lr=1e-3), made(lr=1e-3)
    adamas.rescale(once, a * b)
    adamas.rescale(twice, a)
    adamas.rescale(twice, b)
    for key in ("lr", "weight_decay", "betas"):
        assert once.param_groups[0][key] == pytest.approx(twice.param_groups[0][key])


@pytest.mark.parametrize(
    ("name", "hyper", "expected"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, {"lr": 0.4, "momentum": 0.9, "weight_decay": 0.1}),
        (
            "RMSprop",
            {"lr": 0.1, "alpha": 0.99, "weight_decay": 0.1},
            {"lr": 0.2, "alpha": 0.99**4, "weight_decay": 0.1},
        ),
        ("Adam", {"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.2, "weight_decay": 0.1}),  # L2 is part of the loss
        ("Lion", {"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.2, "weight_decay": 0.2, "betas": (0.9, 0.99**4)}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1, "decay_mode": "independent"}, {"weight_decay": 0.4, "max_lr": 0.2}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1, "decay_mode": "scheduled"}, {"weight_decay": 0.2, "max_lr": 0.2}),
        ("Adagrad", {"lr": 0.1}, {"lr": 0.2}),
    ],
)
def test_each_kind_of_rule(name: str, hyper: dict[str, Any], expected: dict[str, Any]) -> None:
    optimizer = made(name, **hyper)
    adamas.rescale(optimizer, 4)
    for key, value in expected.items():
        assert optimizer.param_groups[0][key] == pytest.approx(value)


def test_a_tensor_lr_is_changed_where_it_is_and_what_schedulers_keep_with_it() -> None:
    optimizer = made(lr=torch.tensor(1e-3))
    optimizer.param_groups[0]["initial_lr"] = 1e-2
    lr = optimizer.param_groups[0]["lr"]
    adamas.rescale(optimizer, 4)
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == pytest.approx(2e-3)
    assert optimizer.param_groups[0]["initial_lr"] == pytest.approx(2e-2)


@pytest.mark.parametrize("kappa", [0, -1, math.inf, math.nan, "4", True])
def test_what_is_no_factor_is_refused(kappa: Any) -> None:
    optimizer = made()
    with pytest.raises(ValueError, match="kappa must be a finite number > 0"):
        adamas.rescale(optimizer, kappa)
    assert optimizer.param_groups[0]["lr"] == 1e-3
