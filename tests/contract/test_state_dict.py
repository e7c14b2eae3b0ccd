"""Checkpoints of torch.optim: read, written, and read by torch again."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any

import pytest
import torch

from .following import assert_follows, watched
from .measure import assert_same_bits, copies
from .pairs import STATEFUL, every_engine, every_name, every_torch_name, every_torch_variant, ours, theirs
from .training import gradients, step, train, weights


def through_a_file(state_dict: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state_dict, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def layout(state_dict: dict[str, Any]) -> dict[int, dict[str, tuple[torch.dtype, torch.Size]]]:
    """Which slots each parameter has, and of which type and shape; SGD without momentum keeps a None."""
    return {
        i: {slot: (value.dtype, value.shape) for slot, value in state.items() if value is not None}
        for i, state in state_dict["state"].items()
        if any(value is not None for value in state.values())
    }


@every_engine
@every_torch_variant
def test_torch_to_adamas_to_torch(name: str, hyper: dict[str, Any], engine: str):
    whole, params = weights(), weights()
    grads = gradients(whole, steps=15)
    run = watched(theirs(name, whole, **hyper), whole, grads)

    first = theirs(name, params, **hyper)
    train(first, params, grads[:5])
    second = ours(name, params, engine)  # its hyper-parameters come with the checkpoint
    second.load_state_dict(through_a_file(first.state_dict()))
    train(second, params, grads[5:10])
    last = theirs(name, params)
    last.load_state_dict(through_a_file(second.state_dict()))
    train(last, params, grads[10:])
    assert_follows(last, params, run)


@every_engine
@every_torch_variant
def test_adamas_to_torch_to_adamas(name: str, hyper: dict[str, Any], engine: str):
    whole, params = weights(), weights()
    grads = gradients(whole, steps=15)
    run = watched(theirs(name, whole, **hyper), whole, grads)

    first = ours(name, params, engine, **hyper)
    train(first, params, grads[:5])
    second = theirs(name, params)
    second.load_state_dict(first.state_dict())
    train(second, params, grads[5:10])
    last = ours(name, params, engine)
    last.load_state_dict(second.state_dict())
    train(last, params, grads[10:])
    assert_follows(last, params, run)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64], ids=str)
@every_engine
@every_torch_variant
def test_a_state_dict_has_torchs_layout(name: str, hyper: dict[str, Any], engine: str, dtype: torch.dtype, steps: int):
    mine, other = weights(dtype=dtype), weights(dtype=dtype)
    a, b = ours(name, mine, engine, **hyper), theirs(name, other, **hyper)
    grads = gradients(mine, steps=steps)
    train(a, mine, grads)
    train(b, other, grads)
    ours_saved, theirs_saved = a.state_dict(), b.state_dict()
    assert ours_saved.keys() >= {"state", "param_groups"}
    assert layout(ours_saved) == layout(theirs_saved)
    for mine_group, other_group in zip(ours_saved["param_groups"], theirs_saved["param_groups"], strict=True):
        assert mine_group.items() >= {**other_group, "foreach": mine_group["foreach"]}.items()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@every_engine
@every_name
def test_a_resumed_training_has_the_same_bits(name: str, engine: str, dtype: torch.dtype):
    """Also where weights round at random: the dice depend on the seed, the step and the parameter only."""
    whole, params = weights(dtype=dtype), weights(dtype=dtype)
    grads = gradients(whole, steps=10)
    train(ours(name, whole, engine, **STATEFUL[name]), whole, grads)
    first = ours(name, params, engine, **STATEFUL[name])
    train(first, params, grads[:5])
    second = ours(name, params, engine)
    second.load_state_dict(through_a_file(first.state_dict()))
    train(second, params, grads[5:])
    assert_same_bits(copies(params), copies(whole))


@every_engine
@every_name
def test_the_learning_rate_is_live_after_a_resume(name: str, engine: str):
    params, twins = weights(), weights()
    grads = gradients(params, steps=4)
    first = ours(name, params, engine, lr=0.01)
    train(first, params, grads[:2])
    resumed = ours(name, params, engine, lr=0.5)
    resumed.load_state_dict(first.state_dict())
    assert resumed.param_groups[0]["lr"] == 0.01
    resumed.param_groups[0]["lr"] = 0.125
    train(resumed, params, grads[2:])
    expected = ours(name, twins, engine, lr=0.01)
    train(expected, twins, grads[:2])
    expected.param_groups[0]["lr"] = 0.125
    train(expected, twins, grads[2:])
    assert_same_bits(copies(params), copies(twins))


NEW_KEYS = ("foreach", "maximize", "differentiable", "capturable", "fused", "decoupled_weight_decay")


@every_engine
@every_torch_name
def test_a_checkpoint_of_an_old_torch(name: str, engine: str):
    """Before 1.12 the step was an int; before 2.x the groups had fewer keys. torch still reads both."""
    params, twins = weights(), weights()
    grads = gradients(params, steps=8)
    old = theirs(name, params, **{k: v for k, v in STATEFUL[name].items() if k != "amsgrad"})
    train(old, params, grads[:4])
    saved = old.state_dict()
    for state in saved["state"].values():
        if "step" in state:
            state["step"] = int(state["step"])
    for group in saved["param_groups"]:
        for key in NEW_KEYS:
            group.pop(key, None)
    for p, twin in zip(params, twins, strict=True):
        twin.data.copy_(p.data)
    resumed, expected = ours(name, params, engine), theirs(name, twins)
    resumed.load_state_dict(saved)
    expected.load_state_dict(deepcopy(saved))  # torch would share its tensors
    train(resumed, params, grads[4:])
    run = watched(expected, twins, grads[4:])
    assert_follows(resumed, params, run)
    assert resumed.param_groups[0].keys() >= ours(name, weights()).param_groups[0].keys()


@every_engine
@every_name
def test_frozen_parameters_have_no_state_in_the_checkpoint(name: str, engine: str):
    params = weights()
    optimizer = ours(name, params, engine, **STATEFUL[name])
    for gs in gradients(params, steps=2):
        step(optimizer, params, [gs[0], None, gs[2]])
    saved = optimizer.state_dict()
    # Adagrad allocates its sums when it is made, as torch's does.
    assert sorted(saved["state"]) == ([0, 1, 2] if name == "Adagrad" else [0, 2])
    fresh = ours(name, params, engine, **STATEFUL[name])
    fresh.load_state_dict(saved)
    train(fresh, params, gradients(params, steps=2))


@every_name
def test_functional_checkpoints(name: str):
    """torch.distributed.checkpoint names states by parameter, and makes them exist by a step with lr = 0."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

    model, twin = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    params, twins = list(model.parameters()), list(twin.parameters())
    grads = gradients(params, steps=6)
    optimizer = ours(name, params, **STATEFUL[name])
    train(optimizer, params, grads[:3])
    train(ours(name, twins, **STATEFUL[name]), twins, grads)
    saved = get_optimizer_state_dict(model, optimizer)
    before = copies(params)
    fresh = ours(name, params, **STATEFUL[name])
    set_optimizer_state_dict(model, fresh, saved)
    assert_same_bits(copies(params), before)
    train(fresh, params, grads[3:])
    assert_same_bits(copies(params), copies(twins))
