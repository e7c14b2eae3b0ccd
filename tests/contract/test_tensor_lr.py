"""A learning rate that is a tensor: read at each step, and one of its own for each group."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from .measure import assert_same_bits, copies
from .pairs import every_engine, every_name, every_torch_name, every_variant, ours
from .training import gradients, step, train, weights

# 2^-6 is the same number in every precision, so that a tensor and a float of it must give the same bits.
LR = 2.0**-6
FORMS = {
    "0-dim": torch.tensor(LR),
    "1-element": torch.tensor([LR]),
    "float64": torch.tensor(LR, dtype=torch.float64),
}
every_form = pytest.mark.parametrize("lr", FORMS.values(), ids=FORMS)


@every_form
@every_engine
@every_variant
def test_same_bits_as_the_float(name: str, hyper: dict[str, Any], engine: str, lr: torch.Tensor):
    params, twins = weights(), weights()
    grads = gradients(params, steps=5)
    train(ours(name, params, engine, **{**hyper, "lr": lr.clone()}), params, grads)
    train(ours(name, twins, engine, **{**hyper, "lr": LR}), twins, grads)
    assert_same_bits(copies(params), copies(twins))


@every_engine
@every_name
def test_a_change_in_place_counts_from_the_next_step(name: str, engine: str):
    params, twins = weights(), weights()
    optimizer, expected = ours(name, params, engine, lr=torch.tensor(LR)), ours(name, twins, engine, lr=LR)
    for t, gs in enumerate(gradients(params, steps=5)):
        optimizer.param_groups[0]["lr"].fill_(LR * 2.0**-t)
        expected.param_groups[0]["lr"] = LR * 2.0**-t
        step(optimizer, params, gs)
        step(expected, twins, gs)
    assert_same_bits(copies(params), copies(twins))


@every_engine
@every_name
def test_groups_do_not_share_it(name: str, engine: str):
    params, twins = weights(), weights()
    given = torch.tensor(LR)
    optimizer = ours(name, [{"params": p} for p in params], engine, lr=given)
    groups = optimizer.param_groups
    assert len({group["lr"].data_ptr() for group in groups}) == len(groups)
    groups[0]["lr"].fill_(0.25)
    assert [group["lr"].item() for group in groups] == [0.25, LR, LR]
    assert given.item() == LR
    grads = gradients(params, steps=3)
    train(optimizer, params, grads)
    train(ours(name, [{"params": twins[0], "lr": 0.25}, {"params": twins[1:]}], engine, lr=LR), twins, grads)
    assert_same_bits(copies(params), copies(twins))


@every_name
def test_a_group_added_later_has_its_own(name: str):
    params = weights()
    optimizer = ours(name, params[:1], lr=torch.tensor(LR))
    optimizer.param_groups[0]["lr"].fill_(0.25)
    optimizer.add_param_group({"params": params[1:]})
    assert [group["lr"].item() for group in optimizer.param_groups] == [0.25, LR]


@every_engine
@every_name
def test_a_scheduler_keeps_it_a_tensor(name: str, engine: str):
    params, twins = weights(), weights()
    optimizer, expected = ours(name, params, engine, lr=torch.tensor(LR)), ours(name, twins, engine, lr=LR)
    identity = id(optimizer.param_groups[0]["lr"])
    pair = [torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5) for opt in (optimizer, expected)]
    for gs in gradients(params, steps=5):
        step(optimizer, params, gs)
        step(expected, twins, gs)
        for scheduler in pair:
            scheduler.step()
    assert id(optimizer.param_groups[0]["lr"]) == identity
    assert_same_bits(copies(params), copies(twins))


@every_torch_name
def test_it_survives_a_state_dict(name: str):
    params = weights()
    optimizer = ours(name, params, lr=torch.tensor(LR))
    fresh = ours(name, params, lr=torch.tensor(1.0))
    fresh.load_state_dict(optimizer.state_dict())
    loaded = fresh.param_groups[0]["lr"]
    assert isinstance(loaded, torch.Tensor)
    assert loaded.item() == LR
    loaded.fill_(0.5)
    assert optimizer.param_groups[0]["lr"].item() == LR


@every_name
def test_more_than_one_element_is_refused(name: str):
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        ours(name, weights(), lr=torch.tensor([LR, LR]))
