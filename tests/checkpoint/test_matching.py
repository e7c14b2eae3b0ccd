"""Names decide which state is whose; everything that does not fit is said at once, before anything is written."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import adamas
from adamas.checkpoint import LoadReport

from ..contract.measure import assert_same_bits, copies
from ..contract.pairs import NAMES, STATEFUL, every_engine, every_name, ours
from ..contract.training import gradients, snapshot, train, weights

LETTERS = "abcdef"


def named(letters: str, shape: tuple[int, ...] = (3, 3)) -> dict[str, Tensor]:
    return dict(zip(letters, weights([shape] * len(letters)), strict=True))


def trained(name: str, params: dict[str, Tensor], groups: Any = None, **hyper: Any) -> torch.optim.Optimizer:
    optimizer = ours(name, groups or params.items(), **{**STATEFUL[name], **hyper})
    train(optimizer, list(params.values()), gradients(list(params.values()), steps=2))
    return optimizer


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(NAMES),
    saved=st.permutations(LETTERS[:5]).flatmap(lambda s: st.integers(1, 5).map(lambda n: s[:n])),
    own=st.permutations(LETTERS).flatmap(lambda s: st.integers(1, 6).map(lambda n: s[:n])),
    cut=st.integers(0, 6),
)
def test_every_common_name_keeps_its_state_and_the_rest_is_reported(
    name: str, saved: list[str], own: list[str], cut: int
):
    first = named("".join(saved))
    writer = trained(name, first)
    second = named("".join(own))
    pieces = [[(n, second[n]) for n in part] for part in (own[:cut], own[cut:]) if part]
    reader = ours(name, [{"params": piece} for piece in pieces], **STATEFUL[name])
    report = reader.load_state_dict(writer.state_dict(), strict=False)  # type: ignore[call-arg]
    assert report == LoadReport(tuple(n for n in own if n not in saved), tuple(sorted(set(saved) - set(own))))
    for n, p in second.items():
        expected = dict(writer.state[first[n]]) if n in first else {}
        assert_same_bits(dict(reader.state.get(p, {})), expected, n)


def test_one_error_names_all_that_is_missing_unexpected_and_reshaped():
    writer = trained("AdamW", named("abc"))
    params = {**named("b"), **named("c", (4, 3)), **named("d")}
    reader = trained("AdamW", params)
    before = snapshot(reader, list(params.values()))
    with pytest.raises(ValueError, match="nothing was loaded") as caught:
        reader.load_state_dict(writer.state_dict())
    said = str(caught.value)
    assert "missing in the checkpoint: 'd'" in said
    assert "unexpected in the checkpoint: 'a'" in said
    assert "exp_avg of parameter 'c' (group 0) has shape (3, 3) in the checkpoint, this parameter needs (4, 3)" in said
    assert_same_bits(snapshot(reader, list(params.values())), before)


@every_engine
@every_name
def test_not_strict_starts_what_does_not_fit_afresh(name: str, engine: str):
    """It then steps as in a new optimizer, the others as in the old one."""
    grown, kept, old = weights([(5, 3)])[0], weights([(2, 2)])[0], weights([(4, 3), (2, 2)])
    writer = ours(name, zip("ab", old, strict=True), **STATEFUL[name])
    train(writer, old, gradients(old, steps=2))
    kept.data.copy_(old[1].data)
    reader = ours(name, {"a": grown, "b": kept}.items(), engine, **STATEFUL[name])
    report = reader.load_state_dict(writer.state_dict(), strict=False)  # type: ignore[call-arg]
    assert len(report.unfit) == 1
    assert "'a'" in report.unfit[0]
    twin = grown.detach().clone().requires_grad_()
    fresh = ours(name, [twin], engine, **STATEFUL[name])
    grads = gradients([grown, kept], steps=3, seed=5)
    train(reader, [grown, kept], grads)
    train(fresh, [twin], [gs[:1] for gs in grads])
    train(writer, old, [[None, gs[1]] for gs in grads])
    assert_same_bits(copies([grown, kept]), copies([twin, old[1]]))


def test_without_names_a_wrong_shape_starts_afresh_too():
    params = weights([(3,), (2,)])
    writer = trained("Adam", {}, groups=params)
    train(writer, params, gradients(params, steps=1))
    other = weights([(3,), (4,)])
    reader = ours("Adam", other, amsgrad=True)
    report = reader.load_state_dict(writer.state_dict(), strict=False)  # type: ignore[call-arg]
    assert "exp_avg of parameter 1 of group 0 has shape (2,)" in report.unfit[0]
    assert [p in reader.state for p in other] == [True, False]


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module."])
def test_the_error_sees_through_wrappers(prefix: str):
    writer = trained("AdamW", named("ab"))
    wrapped = {f"{prefix}{n}": p for n, p in named("ab").items()}
    reader = ours("AdamW", wrapped.items(), amsgrad=True)
    with pytest.raises(ValueError, match=f"they differ by '{prefix}' alone"):
        reader.load_state_dict(writer.state_dict())


HYPER = {"lr": 0.125, "betas": (0.5, 0.75), "eps": 1e-3, "weight_decay": 0.5}


def test_hyperparameters_are_loaded_or_kept():
    first, second = named("ab"), named("ab")
    writer = adamas.AdamW(first.items(), **HYPER)
    train(writer, list(first.values()), gradients(list(first.values()), steps=1))
    reader = adamas.AdamW(second.items(), lr=0.25)
    own = {key: value for key, value in reader.param_groups[0].items() if key != "params"}
    reader.load_state_dict(writer.state_dict(), hyperparameters="keep")
    assert reader.param_groups[0].items() >= own.items()
    assert_same_bits(snapshot(reader, [second["a"]])[1], snapshot(writer, [first["a"]])[1])
    reader.load_state_dict(writer.state_dict(), hyperparameters="load")
    assert reader.param_groups[0].items() >= HYPER.items()
    with pytest.raises(ValueError, match="'load' or 'keep', got 'own'"):
        reader.load_state_dict(writer.state_dict(), hyperparameters="own")


def test_kept_groups_store_moments_in_their_own_format():
    first, second = named("a"), named("a")
    writer = adamas.AdamW(first.items())
    train(writer, list(first.values()), gradients(list(first.values()), steps=1))
    reader = adamas.AdamW(second.items(), state_format="bfloat16")
    reader.load_state_dict(writer.state_dict(), hyperparameters="keep")
    moment = reader.state[second["a"]]["exp_avg"]
    assert torch.equal(moment, writer.state[first["a"]]["exp_avg"].bfloat16())


def two_groups(params: dict[str, Tensor], first: str, **more: float) -> list[dict[str, Any]]:
    rest = [n for n in params if n not in first]
    return [
        {"params": [(n, params[n]) for n in first], "weight_decay": 0.5, **more},
        {"params": [(n, params[n]) for n in rest], "weight_decay": 0.0},
    ]


def test_a_group_takes_the_hyper_parameters_that_its_parameters_had():
    params = named("abcd")
    writer = trained("AdamW", params, groups=two_groups(params, "ab"))
    other = named("abcd")
    reader = adamas.AdamW(
        [{"params": [("c", other["c"])]}, {"params": [("b", other["b"])]}, {"params": [("d", other["d"])]}]
    )
    reader.load_state_dict(writer.state_dict(), strict=False)
    assert [group["weight_decay"] for group in reader.param_groups] == [0.0, 0.5, 0.0]


def test_groups_that_were_cut_otherwise_cannot_both_be_loaded():
    params = named("abcd")
    writer = trained("AdamW", params, groups=two_groups(params, "ab"))
    other = named("abcd")
    reader = ours("AdamW", other.items(), amsgrad=True)
    with pytest.raises(ValueError, match=r"group 0 .* saved in groups \[0, 1\], whose hyper-parameters differ"):
        reader.load_state_dict(writer.state_dict())
    reader.load_state_dict(writer.state_dict(), hyperparameters="keep")  # type: ignore[call-arg]
    for n in params:
        assert_same_bits(dict(reader.state[other[n]]), dict(writer.state[params[n]]))


STEPS: dict[str, Any] = {
    "int": lambda n: n,
    "float": float,
    "float32": lambda n: torch.tensor(float(n)),
    "float64": lambda n: torch.tensor(float(n), dtype=torch.float64),
    "int64": torch.tensor,
    "bfloat16": lambda n: torch.tensor(float(n), dtype=torch.bfloat16),  # stands still at 256
    "one element": lambda n: torch.tensor([float(n)]),
}


@pytest.mark.parametrize("kind", STEPS.values(), ids=STEPS)
@every_engine
def test_the_step_is_taken_in_any_form(kind: Any, engine: str):
    params = weights()
    writer = ours("AdamW", params, engine, amsgrad=True)
    train(writer, params, gradients(params, steps=3))
    saved = deepcopy(writer.state_dict())
    for state in saved["state"].values():
        state["step"] = kind(3)
    twins = [p.detach().clone().requires_grad_() for p in params]
    reader = ours("AdamW", twins, engine)
    reader.load_state_dict(saved)
    step = reader.state[twins[0]]["step"]
    assert step.shape == ()
    assert step.dtype in (torch.float32, torch.float64)
    more = gradients(params, steps=3, seed=9)
    train(writer, params, more)
    train(reader, twins, more)
    assert_same_bits(copies(twins), copies(params))


@pytest.mark.parametrize("step", [torch.zeros(2), "three"], ids=["a vector", "a word"])
def test_a_step_that_is_no_number_is_refused(step: Any):
    params = named("a")
    writer = trained("AdamW", params)
    saved = deepcopy(writer.state_dict())
    saved["state"][0]["step"] = step
    with pytest.raises(ValueError, match="step of parameter 'a'"):
        writer.load_state_dict(saved)


def test_the_dict_says_its_version_and_newer_ones_are_refused():
    params = named("a")
    writer = trained("AdamW", params)
    saved = writer.state_dict()
    assert saved["adamas"] == {"version": 1, "optimizer": "AdamW", "shapes": {}}
    newer = {**saved, "adamas": {"version": 2}}
    with pytest.raises(ValueError, match=r"version 2, .* reads up to 1"):
        writer.load_state_dict(newer)


class Blockwise(adamas.Rule):
    """Descends; stands for rules of users whose state has more than the rule's own slots."""

    defaults = {"lr": 0.1}  # noqa: RUF012

    @staticmethod
    def scalars(h: Any, t: float) -> dict[str, float]:
        return {"lr": h.lr}

    @staticmethod
    def update(g: Any, c: Any) -> Any:
        return c.lr * g


def test_state_of_any_shape_and_dtype_goes_round():
    """Codes with scales, packed halves, numbers beside tensors: whatever stands in a state is copied as it is."""
    (p,) = weights([(4, 6)])
    optimizer = adamas.Optimizer([p], Blockwise)
    train(optimizer, [p], gradients([p], steps=1))
    optimizer.state[p].update(
        codes=torch.arange(12, dtype=torch.uint8).view(4, 3),
        scale=torch.ones(4, 1),
        low=torch.ones(4, 6, dtype=torch.int16),
        lone=torch.tensor(7, dtype=torch.int64),
        words={"a": [1, 2.5, None]},
    )
    saved = deepcopy(optimizer.state_dict())
    fresh = adamas.Optimizer([p], Blockwise)
    fresh.load_state_dict(saved)
    assert_same_bits(dict(fresh.state[p]), saved["state"][0])


@pytest.mark.parametrize(
    ("name", "dtype", "change"),
    [
        ("SGD", torch.bfloat16, {"momentum": 0.9}),
        ("RMSprop", torch.float32, {"momentum": 0.9}),
        ("RMSprop", torch.float32, {"centered": True}),
        ("AdamW", torch.float32, {"amsgrad": True}),
    ],
)
@every_engine
def test_what_was_asked_for_after_the_last_step_may_be_missing(
    name: str, dtype: torch.dtype, change: dict[str, Any], engine: str
):
    """A checkpoint of a training is one of that training, even if it is saved between a change and the next step."""
    params = weights([(3, 3)], dtype)
    optimizer = ours(name, params, engine=engine, seed=3)
    grads = gradients(params, steps=4)
    train(optimizer, params, grads[:2])
    optimizer.param_groups[0].update(change)
    resumed = weights([(3, 3)], dtype)
    with torch.no_grad():
        resumed[0].copy_(params[0])
    reader = ours(name, resumed, engine=engine, seed=3)
    reader.load_state_dict(deepcopy(optimizer.state_dict()))
    for each, own in ((optimizer, params), (reader, resumed)):
        train(each, own, grads[2:])
    assert_same_bits(copies(resumed), copies(params))
    assert_same_bits(dict(reader.state[resumed[0]]), dict(optimizer.state[params[0]]))


def test_a_slot_that_cannot_begin_late_is_missed():
    params = weights([(3, 3)])
    optimizer = trained("AdamW", {"a": params[0]}, [params[0]])
    packed = deepcopy(optimizer.state_dict())
    del packed["state"][0]["exp_avg_sq"]
    with pytest.raises(ValueError, match="but no exp_avg_sq"):
        optimizer.load_state_dict(packed)


def test_what_the_rule_does_not_know_is_copied_too():
    """A checkpoint shares no memory with a training, nor what is left of one with amsgrad."""
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = adamas.Adam([w], amsgrad=True)
    w.grad = torch.ones(3)
    optimizer.step()
    saved = optimizer.state_dict()
    loaded = adamas.Adam([w])
    loaded.load_state_dict({**saved, "param_groups": [{**saved["param_groups"][0], "amsgrad": False}]})
    kept = loaded.state[w]
    assert {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"} <= kept.keys()
    for key, value in saved["state"][0].items():
        assert kept[key].data_ptr() != value.data_ptr(), key
