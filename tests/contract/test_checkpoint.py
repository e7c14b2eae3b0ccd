"""load_state_dict beyond torch: types kept, nothing shared, names matched, and all or nothing."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from .following import tensors
from .measure import assert_same_bits, copies
from .pairs import NAMES, STATEFUL, every_engine, every_name, every_torch_name, ours, theirs
from .training import gradients, snapshot, train, weights


def moments(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {slot: value for slot, value in tensors(state).items() if value.ndim}


@pytest.mark.parametrize("state_format", ["float32", "bfloat16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@every_engine
@every_name
def test_state_keeps_its_own_type(name: str, dtype: torch.dtype, state_format: str, engine: str):
    """torch casts every state to its parameter's type: float32 moments of bfloat16 weights are lost there."""
    params = weights(dtype=dtype)
    optimizer = ours(name, params, engine, state_format=state_format, **STATEFUL[name])
    train(optimizer, params, gradients(params, steps=3))
    saved = deepcopy(optimizer.state_dict())
    fresh = ours(name, params, engine, state_format=state_format, **STATEFUL[name])
    fresh.load_state_dict(saved)
    assert_same_bits(fresh.state_dict()["state"], saved["state"])
    kept = {value.dtype for p in params for value in moments(fresh.state[p]).values()}
    assert kept == {getattr(torch, state_format)}


@every_engine
@every_torch_name
def test_moments_of_torchs_low_precision_training_are_kept_as_they_are(name: str, engine: str):
    params = weights(dtype=torch.bfloat16)
    grads = gradients(params, steps=4)
    trained = theirs(name, params, **STATEFUL[name])
    train(trained, params, grads[:3])
    saved = deepcopy(trained.state_dict())
    resumed = ours(name, params, engine)
    resumed.load_state_dict(saved)
    for i, p in enumerate(params):
        assert_same_bits(moments(resumed.state[p]), moments(saved["state"][i]))
    train(resumed, params, grads[3:])
    assert all(p.isfinite().all() for p in params)


@every_engine
@every_name
def test_nothing_is_shared_with_the_dict(name: str, engine: str):
    params = weights()
    grads = gradients(params, steps=5)
    optimizer = ours(name, params, engine, **STATEFUL[name])
    train(optimizer, params, grads[:2])
    saved = optimizer.state_dict()
    as_saved = deepcopy(saved)
    fresh_params = weights()
    fresh = ours(name, fresh_params, engine)
    fresh.load_state_dict(saved)
    assert_same_bits(saved, as_saved, "the dict that was loaded")
    train(fresh, fresh_params, grads[2:])
    fresh.param_groups[0]["lr"] = 99.0
    assert_same_bits(saved, as_saved, "the dict, after its reader trained")
    loaded = snapshot(fresh, fresh_params)
    train(optimizer, params, grads[2:])
    assert_same_bits(snapshot(fresh, fresh_params), loaded, "the reader, after the writer trained")


def swap_states(saved: dict[str, Any]) -> None:
    saved["state"][0], saved["state"][1] = saved["state"][1], saved["state"][0]


def cut_a_moment(saved: dict[str, Any]) -> None:
    slot = next(iter(moments(saved["state"][1])))
    saved["state"][1][slot] = saved["state"][1][slot][:-1].clone()


def drop_a_moment(saved: dict[str, Any]) -> None:
    del saved["state"][1][next(iter(moments(saved["state"][1])))]


MISMATCHES = {"swapped": (swap_states, 0), "cut": (cut_a_moment, 1), "dropped": (drop_a_moment, 1)}
SPOILED = [
    (name, kind)
    for kind in MISMATCHES
    for name in NAMES
    # Without its only moment a state is that of a parameter that never had a gradient.
    if not (kind == "dropped" and name in ("SGD", "Lion"))
]


@pytest.mark.parametrize("named", [False, True], ids=["by_order", "named"])
@pytest.mark.parametrize(("name", "kind"), SPOILED, ids=["-".join(pair) for pair in SPOILED])
@every_engine
def test_a_mismatch_names_the_parameter_and_changes_nothing(name: str, engine: str, kind: str, named: bool):
    params = weights()
    spoil, index = MISMATCHES[kind]
    names = ["encoder.weight", "encoder.bias", "scale"]
    given = list(zip(names, params, strict=True)) if named else params
    grads = gradients(params, steps=4)
    optimizer = ours(name, given, engine, **STATEFUL[name])
    train(optimizer, params, grads[:2])
    saved = deepcopy(optimizer.state_dict())
    spoil(saved)
    train(optimizer, params, grads[2:])
    optimizer.param_groups[0]["lr"] = 0.75
    before = snapshot(optimizer, params)
    where = re.escape(names[index]) if named else rf"\b{index}\b"
    with pytest.raises(ValueError, match=where):
        optimizer.load_state_dict(saved)
    assert_same_bits(snapshot(optimizer, params), before)


GROUPS = {
    "fewer groups": (lambda ps: [{"params": ps}], "different number of parameter groups"),
    "fewer parameters": (
        lambda ps: [{"params": ps[:1]}, {"params": ps[2:]}],
        "parameter group that doesn't match the size of optimizer's group",
    ),
}


@pytest.mark.parametrize(("regroup", "words"), GROUPS.values(), ids=GROUPS)
@every_name
def test_other_groups_are_refused_with_torchs_words(name: str, regroup: Any, words: str):
    params = weights()
    optimizer = ours(name, [{"params": params[:2]}, {"params": params[2:]}], **STATEFUL[name])
    train(optimizer, params, gradients(params, steps=2))
    before = snapshot(optimizer, params)
    other = weights()
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(ours(name, regroup(other)).state_dict())
    assert_same_bits(snapshot(optimizer, params), before)


@every_engine
def test_a_checkpoint_of_another_optimizer_is_refused(engine: str):
    params = weights()
    sgd = ours("SGD", params, engine, momentum=0.9)
    train(sgd, params, gradients(params, steps=2))
    adam = ours("Adam", params, engine)
    before = snapshot(adam, params)
    with pytest.raises(ValueError, match=r"SGD|momentum|betas|exp_avg"):  # what is there, or what is missing
        adam.load_state_dict(sgd.state_dict())
    assert_same_bits(snapshot(adam, params), before)


LETTERS = ["a", "b", "c", "d"]


def squares(seed: int = 0) -> dict[str, Parameter]:
    """Four parameters of one shape: order is all that tells them apart."""
    return dict(zip(LETTERS, weights([(3, 3)] * 4, seed=seed), strict=True))


@every_engine
@every_name
def test_names_find_their_moments_in_another_order(name: str, engine: str):
    saved_params, whole = squares(), squares()
    grads = gradients(list(whole.values()), steps=6)
    first = ours(name, saved_params.items(), engine, **STATEFUL[name])
    train(first, list(saved_params.values()), grads[:3])
    train(ours(name, whole.items(), engine, **STATEFUL[name]), list(whole.values()), grads)
    order = ["c", "a", "d", "b"]
    second = ours(name, [(n, saved_params[n]) for n in order], engine)
    second.load_state_dict(first.state_dict())
    for n in LETTERS:
        assert_same_bits(dict(second.state[saved_params[n]]), dict(first.state[saved_params[n]]), n)
    assert second.param_groups[0]["param_names"] == order
    train(second, list(saved_params.values()), grads[3:])
    assert_same_bits(copies(saved_params.values()), copies(whole.values()))


@pytest.mark.parametrize("names_in", ["checkpoint", "optimizer", "neither"])
@every_name
def test_without_names_on_both_sides_order_decides(name: str, names_in: str):
    writer, reader = squares(), squares()
    first = ours(name, writer.items() if names_in == "checkpoint" else writer.values(), **STATEFUL[name])
    train(first, list(writer.values()), gradients(list(writer.values()), steps=2))
    rotated = [(n, reader[n]) for n in ["b", "c", "d", "a"]]
    second = ours(name, rotated if names_in == "optimizer" else [p for _, p in rotated], **STATEFUL[name])
    second.load_state_dict(first.state_dict())
    for n, (_, p) in zip(LETTERS, rotated, strict=True):
        assert_same_bits(dict(second.state[p]), dict(first.state[writer[n]]), n)


@every_engine
@every_name
def test_other_names_are_named_and_nothing_changes(name: str, engine: str):
    params = squares()
    optimizer = ours(name, params.items(), engine, **STATEFUL[name])
    train(optimizer, list(params.values()), gradients(list(params.values()), steps=2))
    saved = deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["param_names"] = ["a", "b", "c", "head.weight"]
    before = snapshot(optimizer, list(params.values()))
    with pytest.raises(ValueError, match=r"(?s)(?=.*'d')(?=.*'head\.weight')"):
        optimizer.load_state_dict(saved)
    assert_same_bits(snapshot(optimizer, list(params.values())), before)


@every_name
def test_names_that_occur_twice_do_not_share_a_state(name: str):
    """Two models in one optimizer: both may have a "weight". Order tells them apart, or the load is refused."""
    params = list(squares().values())
    names = ["weight", "bias", "weight", "bias"]
    optimizer = ours(name, zip(names, params, strict=True), **STATEFUL[name])
    train(optimizer, params, gradients(params, steps=2))
    fresh = ours(name, zip(names, params, strict=True), **STATEFUL[name])
    try:
        fresh.load_state_dict(optimizer.state_dict())
    except ValueError as error:
        if "weight" not in str(error):
            raise
    else:
        assert_same_bits(snapshot(fresh, params), snapshot(optimizer, params))
