"""torch.optim and back, to the bit, for every class and all that it can keep."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas
from adamas.checkpoint import to_torch

from ..contract.measure import assert_same_bits
from ..contract.pairs import every_engine, every_torch_variant, ours, theirs
from ..contract.test_state_dict import through_a_file
from ..contract.training import gradients, train, weights


def numbers(state_dict: dict[str, Any]) -> dict[str, Any]:
    """What counts in a torch state dict; ``foreach`` and ``fused`` say how, not what."""
    groups = [{k: v for k, v in g.items() if k not in ("foreach", "fused")} for g in state_dict["param_groups"]]
    state = {k: {n: v for n, v in s.items() if v is not None} for k, s in state_dict["state"].items()}
    return {"state": {k: s for k, s in state.items() if s}, "param_groups": groups}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64], ids=str)
@every_engine
@every_torch_variant
def test_torch_to_adamas_and_back_is_the_same_dict(name: str, hyper: dict[str, Any], engine: str, dtype: torch.dtype):
    params = weights(dtype=dtype)
    torchs = theirs(name, params, **hyper)
    train(torchs, params, gradients(params, steps=3))
    saved = through_a_file(torchs.state_dict())
    between = ours(name, weights(dtype=dtype), engine)
    between.load_state_dict(saved)
    back = through_a_file(to_torch(between))
    assert_same_bits(numbers(back), numbers(saved))
    again, straight = theirs(name, params), theirs(name, params)  # torch casts NAdam's mu_product when it loads it
    again.load_state_dict(back)
    straight.load_state_dict(saved)
    assert_same_bits(numbers(again.state_dict()), numbers(straight.state_dict()))


@every_engine
@every_torch_variant
def test_adamas_to_torch_and_back_is_the_same_dict(name: str, hyper: dict[str, Any], engine: str):
    params = weights()
    first = ours(name, params, engine, **hyper)
    train(first, params, gradients(params, steps=3))
    torchs = theirs(name, weights())
    torchs.load_state_dict(through_a_file(to_torch(first)))
    assert_same_bits(numbers(torchs.state_dict()), numbers(to_torch(first)))
    last = ours(name, params, engine)
    last.load_state_dict(through_a_file(torchs.state_dict()))
    assert_same_bits(numbers(last.state_dict()), numbers(first.state_dict()))


def test_what_torch_has_no_word_for_stays_behind():
    params = weights(dtype=torch.bfloat16)
    optimizer = adamas.SGD(params, momentum=0.9, seed=3)  # rounds stochastically, so it counts its steps
    train(optimizer, params, gradients(params, steps=2))
    saved = to_torch(optimizer)
    assert {key for state in saved["state"].values() for key in state} == {"momentum_buffer"}
    torchs = torch.optim.SGD(params)
    assert set(saved["param_groups"][0]) == set(torchs.state_dict()["param_groups"][0])


@pytest.mark.parametrize("options", [{"eps_mode": "atan2"}, {"cautious": True}, {"nesterov": True}], ids=str)
def test_a_variant_that_torch_lacks_is_refused(options: dict[str, Any]):
    [key] = options
    with pytest.raises(ValueError, match=rf"group 0 has {key}=.*torch's class cannot"):
        to_torch(adamas.AdamW(weights(), **options))


def test_torch_has_no_lion():
    with pytest.raises(TypeError, match=r"torch\.optim has no Lion"):
        to_torch(adamas.Lion(weights()))
