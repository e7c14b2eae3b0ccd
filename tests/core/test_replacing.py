"""Replaced parameters: kept rows go on as if nothing had happened, new ones as if their gradients had been zero."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

import adamas

from ..contract.measure import assert_same_bits, copies
from ..contract.pairs import STATEFUL, every_engine, every_name, ours
from ..contract.training import gradients, snapshot, train, weights

every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])


def grown(gs: list[list[Tensor]], rows: int) -> list[list[Tensor]]:
    return [[torch.cat([g, torch.zeros(rows, *g.shape[1:], dtype=g.dtype)])] for (g,) in gs]


@every_dtype
@every_engine
@every_name
def test_a_grown_vocabulary_trains_as_if_it_had_always_been_there(name: str, engine: str, dtype: torch.dtype):
    """In the run that had it from the start, the new rows are zero and have zero gradients until they count."""
    (small,) = weights([(5, 4)], dtype)
    large = Parameter(torch.cat([small.detach(), torch.zeros(3, 4, dtype=dtype)]))
    early, late = gradients([small], steps=4), gradients([large], steps=4, seed=7)
    always = ours(name, [("w", large)], engine, **STATEFUL[name])
    train(always, [large], grown(early, 3))
    optimizer = ours(name, [("w", small)], engine, **STATEFUL[name])
    train(optimizer, [small], early)
    new = Parameter(torch.cat([small.detach(), torch.zeros(3, 4, dtype=dtype)]))
    optimizer.replace(small, new)  # type: ignore[attr-defined]
    train(always, [large], late)
    train(optimizer, [new], late)
    assert_same_bits(snapshot(optimizer, [new]), snapshot(always, [large]))


@pytest.mark.parametrize("dim", [0, 1])
@every_engine
@every_name
def test_a_pruned_layer_trains_as_if_it_had_always_been_small(name: str, engine: str, dim: int):
    (whole,) = weights([(6, 5)])
    kept = torch.tensor([4, 0, 3])
    part = Parameter(whole.detach().index_select(dim, kept))
    early, late = gradients([whole], steps=4), gradients([part], steps=4, seed=7)
    always = ours(name, [part], engine, **STATEFUL[name])
    train(always, [part], [[g.index_select(dim, kept)] for (g,) in early])
    optimizer = ours(name, [whole], engine, **STATEFUL[name])
    train(optimizer, [whole], early)
    new = Parameter(whole.detach().index_select(dim, kept))
    optimizer.replace(whole, new, rows=kept.tolist() if dim else kept, dim=dim)  # type: ignore[attr-defined]
    train(always, [part], late)
    train(optimizer, [new], late)
    assert_same_bits(snapshot(optimizer, [new]), snapshot(always, [part]))


@pytest.mark.parametrize("steps", [0, 2])
@every_name
def test_a_scalar_or_a_parameter_without_state_is_replaced(name: str, steps: int):
    old, twin = weights([()])[0], weights([()])[0]
    optimizer, kept = ours(name, [old], **STATEFUL[name]), ours(name, [twin], **STATEFUL[name])
    early, late = gradients([old], steps=steps), gradients([old], steps=2, seed=3)
    train(optimizer, [old], early)
    train(kept, [twin], [*early, *late])
    new = Parameter(old.detach().clone())
    optimizer.replace(old, new)  # type: ignore[attr-defined]
    train(optimizer, [new], late)
    assert_same_bits(snapshot(optimizer, [new]), snapshot(kept, [twin]))
    assert old not in optimizer.state


def test_a_cast_parameter_keeps_its_moments_in_its_own_format():
    (old,) = weights([(4, 3)], torch.bfloat16)
    optimizer = adamas.AdamW([("w", old)])
    train(optimizer, [old], gradients([old], steps=2))
    moment = optimizer.state[old]["exp_avg"]
    new = Parameter(old.detach().float())
    optimizer.replace(old, new)
    assert_same_bits(optimizer.state[new]["exp_avg"], moment.float())
    assert optimizer.param_groups[0]["param_names"] == ["w"]
    assert optimizer.state[new]["step"] == 2


def test_other_groups_and_schedulers_do_not_notice():
    a, b, c = weights([(2, 2), (3, 2), (2,)])
    optimizer = adamas.AdamW([{"params": [a]}, {"params": [b, c], "lr": 0.5}])
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    train(optimizer, [a, b, c], gradients([a, b, c], steps=2))
    before = snapshot(optimizer, [a, c])
    new = Parameter(torch.zeros(5, 2))
    optimizer.replace(b, new)
    assert_same_bits(snapshot(optimizer, [a, c]), before)
    scheduler.step()
    train(optimizer, [a, new, c], gradients([a, new, c], steps=1))
    assert optimizer.param_groups[1]["params"][0] is new
    assert new.abs().sum() > 0


def test_state_that_has_rows_of_its_own_shape_goes_along():
    """Scales of blocks, packed codes: a tensor with a row for every row of the parameter."""
    (old,) = weights([(4, 6)])
    optimizer = adamas.AdamW([old])
    train(optimizer, [old], gradients([old], steps=1))
    optimizer.state[old]["scale"] = torch.arange(8.0).view(4, 2)
    new = Parameter(torch.zeros(3, 6))
    optimizer.replace(old, new, rows=[3, -1, 1])
    assert optimizer.state[new]["scale"].tolist() == [[6, 7], [0, 0], [2, 3]]


ERRORS: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "stranger": (torch.ones(2, 2), torch.ones(2, 2), {}, "is not in the optimizer"),
    "present": (0, 1, {}, "is in the optimizer already"),
    "other shape": (0, torch.ones(5, 3), {}, "may differ in dimension 0 alone"),
    "other rank": (0, torch.ones(5), {}, "no rows along dim=0"),
    "no such dim": (0, torch.ones(5, 2), {"dim": 2}, "no rows along dim=2"),
    "few rows": (0, torch.ones(5, 2), {"rows": [0, 1]}, "for each of the 5 new ones"),
    "no such row": (0, torch.ones(2, 2), {"rows": [0, 4]}, r"must be in -1 \.\. 3, got 0 \.\. 4"),
}


@pytest.mark.parametrize(("old", "new", "how", "words"), ERRORS.values(), ids=ERRORS)
def test_what_does_not_fit_is_refused_and_nothing_changes(old: Any, new: Any, how: dict[str, Any], words: str):
    params = weights([(4, 2), (4, 2)])
    optimizer = adamas.AdamW(params)
    train(optimizer, params, gradients(params, steps=1))
    before = snapshot(optimizer, params)
    pick = [params[x] if isinstance(x, int) else Parameter(x) for x in (old, new)]
    with pytest.raises(ValueError, match=words):
        optimizer.replace(pick[0], pick[1], **how)
    assert_same_bits(snapshot(optimizer, params), before)
    assert all(a is b for a, b in zip(optimizer.param_groups[0]["params"], params, strict=True))
    assert_same_bits(copies(params), before[0])


def test_integers_cannot_be_trained():
    (old,) = weights([(4, 2)])
    optimizer = adamas.AdamW([old])
    with pytest.raises(TypeError, match=r"is torch\.int64"):
        optimizer.replace(old, torch.ones(4, 2, dtype=torch.int64))


@pytest.mark.parametrize("state_format", ["int8", "int4"])
@pytest.mark.parametrize(("shape", "new_shape"), [((), ()), ((130,), (200,)), ((6, 70), (9, 70))])
def test_moments_that_another_rule_left_behind_do_not_hinder(
    shape: tuple[int, ...], new_shape: tuple[int, ...], state_format: str
) -> None:
    """Momentum was on, and is off again: its buffer stays in the state, in blocks that nothing reads."""
    old, new = torch.nn.Parameter(torch.ones(shape)), torch.nn.Parameter(torch.ones(new_shape))
    optimizer = adamas.RMSprop([old], momentum=0.9, state_format=state_format)
    old.grad = torch.ones(shape)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.0
    optimizer.replace(old, new)
    for momentum in (0.0, 0.9):
        optimizer.param_groups[0]["momentum"] = momentum
        new.grad = torch.ones(new_shape)
        optimizer.step()
    assert optimizer.state[new]["step"] == 3
    assert bool(new.isfinite().all())
