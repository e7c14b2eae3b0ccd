"""deepcopy and pickle keep everything: the copy goes on with the same bits, apart from the original."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch

from .measure import assert_same_bits, copies
from .pairs import STATEFUL, every_engine, every_name, ours
from .training import gradients, snapshot, train, weights


def through_torch_save(value: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "torch.save": through_torch_save,
    # What a second copy keeps, the first kept too, and not only by sharing it with the original.
    "twice": lambda value: deepcopy(pickle.loads(pickle.dumps(value))),
}
every_copy = pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)


@every_copy
@every_engine
@every_name
def test_a_copy_continues_with_the_same_bits(name: str, engine: str, copy: Callable[[Any], Any]):
    params = weights()
    optimizer = ours(name, params, engine, **STATEFUL[name])
    grads = gradients(params, steps=10)
    train(optimizer, params, grads[:5])
    copied_params, copied = copy((params, optimizer))
    at_copy = snapshot(optimizer, params)
    assert_same_bits(snapshot(copied, copied_params), at_copy)
    train(copied, copied_params, grads[5:])
    assert_same_bits(snapshot(optimizer, params), at_copy, "the original, after the copy trained")
    train(optimizer, params, grads[5:])
    assert_same_bits(snapshot(copied, copied_params), snapshot(optimizer, params))


@every_copy
@every_name
def test_a_copy_made_before_the_first_step(name: str, copy: Callable[[Any], Any]):
    params = weights()
    optimizer = ours(name, params, **STATEFUL[name])
    copied_params, copied = copy((params, optimizer))
    grads = gradients(params, steps=3)
    train(optimizer, params, grads)
    train(copied, copied_params, grads)
    assert_same_bits(copies(copied_params), copies(params))


@every_copy
@every_engine
@every_name
def test_a_copy_keeps_the_keywords_of_this_library(name: str, engine: str, copy: Callable[[Any], Any]):
    """Stochastic rounding draws from the seed and the step: the copy has to know both."""
    params = weights(shapes=((200,),), dtype=torch.bfloat16)
    optimizer = ours(name, params, engine, rounding="stochastic", seed=7, state_format="bfloat16", lr=0.01)
    grads = gradients(params, steps=6)
    train(optimizer, params, grads[:3])
    copied_params, copied = copy((params, optimizer))
    assert copied.defaults.items() >= optimizer.defaults.items()
    train(optimizer, params, grads[3:])
    train(copied, copied_params, grads[3:])
    assert_same_bits(snapshot(copied, copied_params), snapshot(optimizer, params))


@every_name
def test_hooks_are_copied_by_deepcopy_but_not_pickled(name: str):
    """A pickle holds defaults, state and groups; hooks, which may be local functions, stay behind."""
    optimizer = ours(name, weights())
    seen: list[int] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(1))
    unpickled = pickle.loads(pickle.dumps(optimizer))
    unpickled.step()
    assert seen == []
    optimizer.step()
    assert seen == [1]
