"""What a program may change between two steps: whatever the engine prepared for the last one must notice.

Each test changes something in the third of six steps, and compares with optimizers that never knew it otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from .measure import assert_same_bits, copies
from .pairs import STATEFUL, every_engine, every_name, every_variant, ours
from .training import gradients, step, train, weights


@every_engine
@every_variant
def test_hyper_parameters_are_live(name: str, hyper: dict, engine: str):
    """What a scheduler, or a user, writes into a group counts from the next step on."""
    params, twins = weights(), weights()
    optimizer, expected = ours(name, params, engine, **hyper), ours(name, twins, engine, **hyper)
    for t, gs in enumerate(gradients(params, steps=10)):
        for group in optimizer.param_groups:
            group["lr"] = 0.5**t
            group["weight_decay"] = 0.01 * t
        # The same values in an optimizer that is made anew from the state: nothing of the old values can be
        # left.
        fresh = ours(name, twins, engine, **{**hyper, "lr": 0.5**t, "weight_decay": 0.01 * t})
        fresh.load_state_dict({**expected.state_dict(), "param_groups": fresh.state_dict()["param_groups"]})
        step(optimizer, params, gs)
        step(fresh, twins, gs)
        expected = fresh
    assert_same_bits(copies(params), copies(twins))


def remove_by_new_list(optimizer: Optimizer, params: list[Parameter]) -> None:
    optimizer.param_groups[0]["params"] = [params[0], params[2]]


def remove_from_list(optimizer: Optimizer, params: list[Parameter]) -> None:
    del optimizer.param_groups[0]["params"][1]


def split_into_groups(optimizer: Optimizer, params: list[Parameter]) -> None:
    group = optimizer.param_groups[0]
    optimizer.param_groups = [{**group, "params": [params[0]]}, {**group, "params": [params[2]]}]


REMOVALS = {"new list": remove_by_new_list, "same list": remove_from_list, "new groups": split_into_groups}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
@every_engine
@every_name
def test_a_removed_parameter_is_not_stepped(name: str, engine: str, remove: Callable[..., None]):
    """Its gradient may still be there: other losses use it, or nobody set it to None."""
    params, twins = weights(), weights()
    optimizer = ours(name, params, engine)
    separate = [ours(name, [p], engine) for p in twins]
    for t, gs in enumerate(gradients(params, steps=6)):
        if t == 3:
            remove(optimizer, params)
        step(optimizer, params, gs)
        for i in (0, 1, 2) if t < 3 else (0, 2):
            step(separate[i], [twins[i]], [gs[i]])
    assert_same_bits(copies(params), copies(twins))


@every_engine
@every_name
def test_a_removed_group_is_not_stepped(name: str, engine: str):
    params = weights()
    optimizer = ours(name, [{"params": [p]} for p in params], engine)
    grads = gradients(params, steps=6)
    train(optimizer, params, grads[:3])
    before = copies(params)
    del optimizer.param_groups[1]
    train(optimizer, params, grads[3:])
    assert_same_bits(params[1].detach(), before[1])
    assert not torch.equal(params[0], before[0])


@every_engine
@every_name
def test_a_parameter_put_into_the_list_is_stepped(name: str, engine: str):
    params, twins = weights(), weights()
    optimizer, expected = ours(name, params[:2], engine), ours(name, twins[2:], engine)
    grads = gradients(params, steps=6)
    train(optimizer, params, grads[:3])
    optimizer.param_groups[0]["params"].append(params[2])
    train(optimizer, params, grads[3:])
    train(expected, twins[2:], [gs[2:] for gs in grads[3:]])
    assert_same_bits(copies(params[2:]), copies(twins[2:]))


@every_engine
@every_name
def test_replacing_a_parameter_in_its_group(name: str, engine: str):
    params, twins = weights(), weights()
    optimizer = ours(name, params, engine)
    grads = gradients(params, steps=6)
    train(optimizer, params, grads[:3])
    replaced = [params[0], Parameter(twins[1].detach().clone()), params[2]]
    optimizer.param_groups[0]["params"][1] = replaced[1]
    train(optimizer, replaced, grads[3:])
    separate = ours(name, [twins[1]], engine)
    train(separate, [twins[1]], [gs[1:2] for gs in grads[3:]])
    assert_same_bits(copies(replaced[1:2]), copies(twins[1:2]))


@every_engine
@every_name
def test_new_memory_under_a_parameter(name: str, engine: str):
    """p.data = ..., as module.to() does it: the parameter is the same, its storage and layout are not."""
    params, twins = weights(), weights()
    optimizer, expected = ours(name, params, engine), ours(name, twins, engine)
    for t, gs in enumerate(gradients(params, steps=6)):
        if t == 3:
            old = [p.data for p in params]
            for p in params:
                p.data = torch.stack([p.data, p.data], dim=-1)[..., 0]
            kept = copies(old)
        step(optimizer, params, gs)
        step(expected, twins, gs)
    assert_same_bits([p.detach().contiguous() for p in params], copies(twins))
    assert_same_bits(old, kept, "the memory that the parameters left")


@every_engine
@every_name
def test_a_parameter_transposed_where_it_lies(name: str, engine: str):
    """p.data = p.data.t(): not even the address changes, and the gradients may keep their layout."""
    params, twins = weights([(4, 4)]), weights([(4, 4)])
    optimizer, expected = ours(name, params, engine), ours(name, twins, engine)
    for t, gs in enumerate(gradients(params, steps=6)):
        if t == 3:
            params[0].data = params[0].data.t()
            twins[0].data = twins[0].data.t().contiguous()
        step(optimizer, params, gs)
        step(expected, twins, gs)
    assert_same_bits(params[0].detach().contiguous(), twins[0].detach())


RESETS: dict[str, Callable[[Optimizer, Parameter], Any]] = {
    "state = {}": lambda optimizer, p: setattr(optimizer, "state", defaultdict(dict)),
    "clear": lambda optimizer, p: optimizer.state.clear(),
    "pop": lambda optimizer, p: optimizer.state.pop(p),
    "state[p] = {}": lambda optimizer, p: optimizer.state.update({p: {}}),
    "state[p].clear": lambda optimizer, p: optimizer.state[p].clear(),
}


@pytest.mark.parametrize("reset", RESETS.values(), ids=RESETS)
@every_engine
@every_name
def test_a_state_that_is_thrown_away_starts_anew(name: str, engine: str, reset: Callable[..., Any]):
    params, twins = weights()[:1], weights()[:1]
    optimizer = ours(name, params, engine, **STATEFUL[name])
    grads = gradients(params, steps=6)
    train(optimizer, params, grads[:3])
    reset(optimizer, params[0])
    twins[0].data.copy_(params[0].data)
    if name == "Adagrad":  # torch's allocates its sums when it is made, and has none after this
        optimizer.state[params[0]] = ours(name, params, engine, **STATEFUL[name]).state[params[0]]
    train(optimizer, params, grads[3:])
    train(ours(name, twins, engine, **STATEFUL[name]), twins, grads[3:])
    assert_same_bits(copies(params), copies(twins))


@every_engine
@every_name
def test_a_state_that_is_written_to_counts(name: str, engine: str):
    """Zeroing, or replacing, a moment between steps: both are seen."""
    results = []
    for edit in (lambda s, k: s[k].zero_(), lambda s, k: s.update({k: torch.zeros_like(s[k])})):
        params = weights()
        optimizer = ours(name, params, engine, **STATEFUL[name])
        grads = gradients(params, steps=6)
        train(optimizer, params, grads[:3])
        untouched = copies(params)
        for p in params:
            for slot in [k for k, value in optimizer.state[p].items() if value.ndim or k == "momentum_buffer"]:
                edit(optimizer.state[p], slot)
        assert_same_bits(copies(params), untouched)
        train(optimizer, params, grads[3:])
        results.append(copies(params))
    kept = weights()
    train(ours(name, kept, engine, **STATEFUL[name]), kept, gradients(kept, steps=6))
    assert_same_bits(results[0], results[1])
    assert not torch.equal(results[0][0], kept[0])
