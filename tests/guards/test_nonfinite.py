"""``nonfinite``: a step over gradients that are not finite is taken, skipped without a trace, or an error."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

import adamas
from adamas.guards import NonFiniteError

from ..contract.measure import assert_same_bits, copies
from ..contract.pairs import STATEFUL, every_engine, every_name, ours
from ..contract.training import gradients, snapshot, step, train, weights

BAD = (torch.inf, -torch.inf, torch.nan)


def spoilt(grads: list[torch.Tensor], bad: float) -> list[torch.Tensor]:
    made = [g.clone() for g in grads]
    made[1][3] = bad
    return made


@pytest.mark.parametrize("bad", BAD)
@every_engine
@every_name
def test_a_skipped_step_leaves_no_trace(name: str, engine: str, bad: float):
    params, plain = weights(), weights()
    optimizer = ours(name, params, engine, nonfinite="skip", **STATEFUL[name])
    grads = gradients(params, steps=5)
    step(optimizer, params, spoilt(grads[0], bad))  # the very first, too
    train(optimizer, params, grads[:2])
    before = snapshot(optimizer, params)
    step(optimizer, params, spoilt(grads[3], bad))
    assert_same_bits(snapshot(optimizer, params), before)
    train(optimizer, params, grads[2:])
    train(ours(name, plain, engine, **STATEFUL[name]), plain, grads)
    assert_same_bits(copies(params), copies(plain))
    assert optimizer.skipped == 2  # type: ignore[attr-defined]
    assert not optimizer.last_step.skipped  # type: ignore[attr-defined]


@every_engine
def test_a_first_step_that_is_skipped_makes_no_state(engine: str):
    params = weights()
    optimizer = ours("AdamW", params, engine, nonfinite="skip")
    step(optimizer, params, spoilt(gradients(params, steps=1)[0], torch.nan))
    assert not any(optimizer.state.values())
    assert optimizer.last_step.skipped  # type: ignore[attr-defined]


@every_engine
def test_raise_names_the_parameter_and_changes_nothing(engine: str):
    params = weights()
    names = ["body.weight", "head.bias", "scale"]
    optimizer = ours("AdamW", list(zip(names, params, strict=True)), engine, nonfinite="raise")
    grads = gradients(params, steps=3)
    train(optimizer, params, grads[:2])
    before = snapshot(optimizer, params)
    bad = spoilt(grads[2], torch.nan)
    bad[1][5] = -torch.inf
    with pytest.raises(
        NonFiniteError, match=r"'head\.bias' \(group 0\) \(1 NaN and 1 infinite of 33\); nothing"
    ) as error:
        step(optimizer, params, bad)
    assert "body" not in str(error.value)
    assert_same_bits(snapshot(optimizer, params), before)
    assert optimizer.skipped == 0  # type: ignore[attr-defined]


def test_too_many_skips_in_a_row():
    params = weights()
    optimizer = adamas.AdamW(params, nonfinite="skip", max_skips=2)
    good, bad = gradients(params, steps=1)[0], spoilt(gradients(params, steps=1)[0], torch.nan)
    for grads in (bad, bad, good, bad, bad):
        step(optimizer, params, grads)
    with pytest.raises(
        NonFiniteError, match=r"3 steps in a row were skipped, max_skips is 2: .*parameter 1 of group 0"
    ):
        step(optimizer, params, bad)
    assert optimizer.skipped == 5


def test_skips_of_a_gradient_scaler_count():
    params = weights()
    optimizer = adamas.AdamW(params, max_skips=1, nonfinite="raise")  # what a scaler finds is no error
    optimizer.found_inf = torch.tensor(1.0)  # type: ignore[attr-defined]
    grads = gradients(params, steps=1)[0]
    step(optimizer, params, grads)
    assert (optimizer.skipped, optimizer.last_step.skipped) == (1, True)  # type: ignore[union-attr]
    with pytest.raises(NonFiniteError, match=r"2 steps in a row .* the gradient scaler found an infinite or NaN"):
        step(optimizer, params, grads)


def test_a_large_float64_is_finite():
    w = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = adamas.SGD([w], lr=1.0, nonfinite="raise")
    step(optimizer, [w], [torch.tensor([1e200, 1.0], dtype=torch.float64)])  # its square is not
    assert w.tolist() == [-1e200, -1.0]


def test_propagate_takes_the_step():
    params = weights()
    step(adamas.SGD(params), params, spoilt(gradients(params, steps=1)[0], torch.nan))
    assert params[1].isnan().sum() == 1


def test_guards_survive_copies():
    params = weights()
    optimizer = adamas.AdamW(params, nonfinite="skip", max_skips=3, clip_norm=0.5, clip_update=1.0)
    step(optimizer, params, spoilt(gradients(params, steps=1)[0], torch.nan))
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        kept = other.guards
        assert (kept.nonfinite, kept.max_skips, kept.clip_norm, kept.skipped) == ("skip", 3, 0.5, 1)
        ps = other.param_groups[0]["params"]
        step(other, ps, spoilt(gradients(ps, steps=1)[0], torch.nan))
        assert other.skipped == 2
    assert optimizer.skipped == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nonfinite": "ignore"}, "unknown nonfinite 'ignore': there are propagate, skip, raise"),
        ({"max_skips": 0}, "max_skips must be None or an integer of at least 1, got 0"),
        ({"max_skips": 1.5}, "max_skips must be None or an integer of at least 1, got 1.5"),
    ],
)
def test_what_is_no_guard(given: dict, message: str):
    with pytest.raises(ValueError, match=message):
        adamas.AdamW(weights(), **given)
