"""Parameter groups: how they are given, added and changed, and what they do not change."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from .measure import assert_same_bits, copies
from .pairs import every_engine, every_name, every_variant, ours
from .training import gradients, step, train, weights


@every_engine
@every_variant
def test_more_groups_change_nothing(name: str, hyper: dict, engine: str):
    one, many = weights(), weights()
    grads = gradients(one, steps=20)
    train(ours(name, one, engine, **hyper), one, grads)
    train(ours(name, [{"params": [p]} for p in many], engine, **hyper), many, grads)
    assert_same_bits(copies(one), copies(many))


@every_engine
@every_name
def test_each_group_has_its_own_hyper_parameters(name: str, engine: str):
    together, apart = weights(), weights()
    hypers: list[dict[str, Any]] = [{"lr": 0.1}, {"lr": 0.01, "weight_decay": 0.5}, {"maximize": True}]
    groups = [{"params": p, **hyper} for p, hyper in zip(together, hypers, strict=True)]
    optimizer = ours(name, groups, engine, lr=0.001)
    separate = [ours(name, [p], engine, **{"lr": 0.001, **hyper}) for p, hyper in zip(apart, hypers, strict=True)]
    for gs in gradients(together, steps=10):
        step(optimizer, together, gs)
        for alone, p, g in zip(separate, apart, gs, strict=True):
            step(alone, [p], [g])
    assert_same_bits(copies(together), copies(apart))


@every_engine
@every_variant
def test_a_group_added_while_training_starts_fresh(name: str, hyper: dict, engine: str):
    params, twins = weights(), weights()
    optimizer = ours(name, params[:2], engine, **hyper)
    old, new = ours(name, twins[:2], engine, **hyper), ours(name, twins[2:], engine, **{**hyper, "lr": 0.25})
    for t, gs in enumerate(gradients(params, steps=10)):
        if t == 4:
            optimizer.add_param_group({"params": params[2:], "lr": 0.25})
        step(optimizer, params, gs)
        step(old, twins[:2], gs[:2])
        if t >= 4:
            step(new, twins[2:], gs[2:])
    assert_same_bits(copies(params), copies(twins))
    assert len(optimizer.param_groups) == 2
    assert optimizer.param_groups[1].keys() == optimizer.param_groups[0].keys()


@every_engine
@every_name
def test_params_may_be_a_generator_of_tensors_or_groups_or_named_parameters(name: str, engine: str):
    forms = {
        "tensors": lambda ps: (p for p in ps),
        "groups": lambda ps: ({"params": p} for p in ps),
        "named": lambda ps: ((f"layer.{i}", p) for i, p in enumerate(ps)),
        "named groups": lambda ps: [{"params": ((f"layer.{i}", p) for i, p in enumerate(ps))}],
    }
    results = []
    for form in forms.values():
        params = weights()
        train(ours(name, form(params), engine), params, gradients(params, steps=3))
        results.append(copies(params))
    for result in results[1:]:
        assert_same_bits(result, results[0])


@every_name
def test_names_are_kept_where_torch_keeps_them(name: str):
    a, b, c = weights()
    optimizer = ours(name, [("a", a), ("b", b)])
    optimizer.add_param_group({"params": [("c", c)]})
    assert [group["param_names"] for group in optimizer.param_groups] == [["a", "b"], ["c"]]
    assert [group["param_names"] for group in optimizer.state_dict()["param_groups"]] == [["a", "b"], ["c"]]


WRONG: list[tuple[Any, type[Exception], str]] = [
    ([], ValueError, "optimizer got an empty parameter list"),
    ({torch.zeros(2)}, TypeError, "optimizer parameters need to be organized in ordered collections"),
    ([1.0], TypeError, "optimizer can only optimize Tensors"),
    ([torch.zeros(2, requires_grad=True) * 2], ValueError, "can't optimize a non-leaf Tensor"),
    (torch.zeros(2), TypeError, "should be an iterable of Tensors or dicts"),
]


@pytest.mark.parametrize(("params", "error", "words"), WRONG)
@every_name
def test_wrong_parameters_are_refused_with_torchs_words(name: str, params: Any, error: type[Exception], words: str):
    wrapped = [{"params": params}] if isinstance(params, set) else params
    with pytest.raises(error, match=words):
        ours(name, wrapped)


@every_name
def test_a_group_must_be_a_dict(name: str):
    optimizer = ours(name, weights())
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optimizer.add_param_group([torch.zeros(2)])  # type: ignore[arg-type]
