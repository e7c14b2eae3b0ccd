"""What is refused: the message says what was given, for which parameter, and what to do; nothing was written."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from .measure import assert_same_bits
from .pairs import NAMES, STATEFUL, every_engine, every_name, ours
from .training import gradients, snapshot, step, weights

NAN, INF = float("nan"), float("inf")

ALL_HAVE = {"lr": "Invalid learning rate: ", "weight_decay": "Invalid weight_decay value: "}
EPS = {"eps": "Invalid epsilon value: "}
OWN: dict[str, dict[str, str]] = {
    "SGD": {"momentum": "Invalid momentum value: ", "dampening": "dampening"},
    "Adagrad": {
        **EPS,
        "lr_decay": "Invalid lr_decay value: ",
        "initial_accumulator_value": "Invalid initial_accumulator_value value: ",
    },
    "RMSprop": {**EPS, "momentum": "Invalid momentum value: ", "alpha": "Invalid alpha value: "},
    "NAdam": {**EPS, "momentum_decay": "Invalid momentum_decay value: "},
    **{name: EPS for name in ("Adam", "AdamW", "RAdam", "Adamax")},
    "Lion": {},
}
# torch lets a NaN pass where it asks `value < 0`, and an infinity nearly everywhere.
VALUES = [
    (name, key, value, words)
    for name in NAMES
    for key, words in {**ALL_HAVE, **OWN[name]}.items()
    for value in (-0.5, NAN, INF, -INF)
    if not (key == "dampening" and value == -0.5)  # torch allows it, and it means something
]


def _id(value: object) -> str:
    return str(value).strip(": ")


@pytest.mark.parametrize(("name", "key", "value", "words"), VALUES, ids=_id)
def test_hyper_parameters_must_be_finite_and_not_negative(name: str, key: str, value: float, words: str):
    with pytest.raises(ValueError, match=f"{words}.*{value}" if key == "dampening" else f"{words}{value}"):
        ours(name, weights(), **{key: value})


WITH_BETAS = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Lion")


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, NAN, INF])
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", WITH_BETAS)
def test_betas_must_lie_between_zero_and_one(name: str, index: int, value: float):
    betas = [0.5, 0.5]
    betas[index] = value
    with pytest.raises(ValueError, match=f"Invalid beta parameter at index {index}: {value}"):
        ours(name, weights(), betas=tuple(betas))


GROUP_VALUES = {"lr": -0.5, "weight_decay": NAN}


@pytest.mark.parametrize(("key", "value"), GROUP_VALUES.items(), ids=GROUP_VALUES)
@every_name
def test_the_values_of_a_group_are_checked_too(name: str, key: str, value: float):
    a, b, c = weights()
    optimizer = ours(name, [a])
    with pytest.raises(ValueError, match=str(value)):
        optimizer.add_param_group({"params": [b], key: value})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match=str(value)):
        ours(name, [{"params": [a]}, {"params": [c], key: value}])


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool], ids=str)
@every_name
def test_integer_parameters(name: str, dtype: torch.dtype):
    weight, count = weights()[0], torch.zeros(3, dtype=dtype)
    with pytest.raises((TypeError, ValueError), match=rf"(?s)(?=.*{dtype})(?=.*encoder\.count)"):
        ours(name, [("encoder.weight", weight), ("encoder.count", count)])
    with pytest.raises((TypeError, ValueError), match=rf"(?s)(?=.*{dtype})(?=.*\b1\b)"):
        ours(name, [weight, count])


# name of the choice, the wrong value, and one of the right ones, which the message must offer
CHOICES = [("engine", "gpu", "reference"), ("state_format", "int3", "bfloat16"), ("rounding", "up", "nearest")]


@pytest.mark.parametrize(("choice", "wrong", "right"), CHOICES)
@every_name
def test_unknown_choices(name: str, choice: str, wrong: str, right: str):
    with pytest.raises(ValueError, match=rf"(?s)(?=.*{choice})(?=.*{wrong})(?=.*{right})"):
        ours(name, weights(), **({"engine": "auto"} | {choice: wrong}))


MISSPELT = {"weigth_decay": "weight_decay", "Lr": "lr", "maximise": "maximize", "rouding": "rounding"}


@pytest.mark.parametrize(("wrong", "right"), MISSPELT.items(), ids=MISSPELT)
@every_name
def test_an_unknown_keyword_is_answered_with_the_nearest(name: str, wrong: str, right: str):
    with pytest.raises(TypeError, match=rf"(?s)(?=.*{wrong})(?=.*\b{right}\b)"):
        ours(name, weights(), **{wrong: 0})


@pytest.mark.parametrize(("wrong", "right"), MISSPELT.items(), ids=MISSPELT)
@every_name
def test_an_unknown_group_key_is_answered_with_the_nearest(name: str, wrong: str, right: str):
    """torch trains silently with {"weigth_decay": 0}."""
    a, b, _ = weights()
    with pytest.raises((TypeError, ValueError, KeyError), match=rf"(?s)(?=.*{wrong})(?=.*\b{right}\b)"):
        ours(name, [{"params": [a]}, {"params": [b], wrong: 0}])
    optimizer = ours(name, [a])
    with pytest.raises((TypeError, ValueError, KeyError), match=rf"(?s)(?=.*{wrong})(?=.*\b{right}\b)"):
        optimizer.add_param_group({"params": [b], wrong: 0})
    assert len(optimizer.param_groups) == 1


def wrong_shape(p: Parameter) -> None:
    p.grad = torch.ones_like(p)
    p.data = torch.zeros(3)


def wrong_dtype(p: Parameter) -> None:
    p.grad = torch.ones_like(p)
    p.data = p.data.to(torch.float64)


def sparse(p: Parameter) -> None:
    p.grad = torch.sparse_coo_tensor(torch.tensor([[0, 33]]), torch.ones(2), (33,), check_invariants=False)


# What is wrong with the last gradient, and the words that say so: what the gradient is, and what the parameter is.
GRADIENTS = {
    "shape": (wrong_shape, r"(?=.*\b33\b)(?=.*\b3\b)"),
    "dtype": (wrong_dtype, r"(?=.*float32)(?=.*float64)"),
    "sparse": (sparse, r"(?=.*index 33)"),
}


@pytest.mark.parametrize("trained", [False, True], ids=["first_step", "later_step"])
@pytest.mark.parametrize(("spoil", "words"), GRADIENTS.values(), ids=GRADIENTS)
@every_engine
@every_name
def test_a_wrong_gradient_changes_nothing_at_all(name: str, engine: str, spoil: Any, words: str, trained: bool):
    """Also not the parameters before it, whose gradients are fine, and not the steps that they count."""
    a, b, c = params = weights()
    groups = [{"params": [("first", a)]}, {"params": [("scale", c), ("encoder.bias", b)]}]
    optimizer = ours(name, groups, engine, **STATEFUL[name])
    first, second = gradients(params, steps=2)
    if trained:
        step(optimizer, params, first)
    for p, g in zip(params, second, strict=True):
        p.grad = g
    spoil(b)
    others: list[Tensor] = [a, c]
    before = snapshot(optimizer, others), dict(optimizer.state[b]) if b in optimizer.state else {}
    with pytest.raises((RuntimeError, ValueError, TypeError), match=rf"(?s){words}(?=.*encoder\.bias)"):
        optimizer.step()
    after = snapshot(optimizer, others), dict(optimizer.state[b]) if b in optimizer.state else {}
    assert_same_bits(after, before)


@every_name
def test_a_parameter_that_the_chosen_engine_refuses(name: str):
    """The compiled engine writes no tensor whose elements share memory. It says so before it writes another."""
    good, bad = weights()[1], torch.zeros(1).expand(3)
    optimizer = ours(name, [good, bad], "cpu", **STATEFUL[name])
    good.grad, bad.grad = torch.ones_like(good), torch.ones(3)
    before = snapshot(optimizer, [good])
    with pytest.raises(RuntimeError, match=r"(?=.*cpu)(?=.*parameter 1 of group 0)"):
        optimizer.step()
    assert_same_bits(snapshot(optimizer, [good]), before)


@every_name
def test_an_unnamed_parameter_is_named_by_its_group_and_place(name: str):
    a, b, c = weights()
    optimizer = ours(name, [{"params": [a]}, {"params": [c, b]}])
    for p in (a, c):
        p.grad = torch.ones_like(p)
    wrong_dtype(b)
    with pytest.raises((RuntimeError, ValueError, TypeError), match=r"(?=.*parameter 1)(?=.*group 1)"):
        optimizer.step()


@every_name
def test_the_same_parameter_twice(name: str):
    """Within a group torch warns, and across groups it refuses."""
    a, b, _ = weights()
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        ours(name, [a, a])
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        ours(name, [{"params": [a]}, {"params": [b, a]}])
