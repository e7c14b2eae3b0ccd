"""Moments in every format: loaded as they were saved, converted where the reader keeps its own, moved row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch.nn import Parameter

import adamas
from adamas.checkpoint import to_torch
from adamas.formats import FORMATS
from adamas.rounding import ROUNDINGS

from ..contract.measure import assert_same_bits
from ..contract.pairs import every_engine
from ..contract.training import gradients, snapshot, train, weights

SHAPES = ((6, 300), (260,), ())
# Worst distance of a moment read back, relative to the largest of its block: a step of the code map.
STEP = {"float32": 0.0, "bfloat16": 2**-8, "int8": 2 / 127, "int4": 0.5}
every_format = pytest.mark.parametrize("form", FORMATS)


def trained(form: str, engine: str = "auto", shapes: tuple[tuple[int, ...], ...] = SHAPES, **more: str):
    params = weights(shapes, torch.bfloat16 if more else torch.float32)
    optimizer = adamas.AdamW(params, engine=engine, state_format=form, **more)
    train(optimizer, params, gradients(params, steps=3))
    return optimizer, params


@pytest.mark.parametrize("rounding", ROUNDINGS)
@every_engine
@every_format
def test_every_state_goes_round(form: str, rounding: str, engine: str):
    optimizer, params = trained(form, engine, rounding=rounding)
    fresh = adamas.AdamW(params)
    fresh.load_state_dict(optimizer.state_dict())
    assert_same_bits(snapshot(fresh, params)[1], snapshot(optimizer, params)[1])


@every_format
@pytest.mark.parametrize("own", FORMATS)
def test_kept_groups_convert_the_moments(form: str, own: str):
    exact, params = trained("float32")
    optimizer, _ = trained(form)
    reader = adamas.AdamW(params, state_format=own)
    reader.load_state_dict(optimizer.state_dict(), hyperparameters="keep")
    saved = to_torch(reader)["state"]
    for i, p in enumerate(params):
        for slot in ("exp_avg", "exp_avg_sq"):
            want = exact.state[p][slot]
            error = (saved[i][slot].float() - want).abs().max()
            assert error <= 4 * (STEP[form] + STEP[own]) * want.abs().max()
    train(reader, params, gradients(params, steps=1))


def test_a_slot_of_another_block_size_is_refused():
    optimizer, params = trained("int8")
    saved = optimizer.state_dict()
    saved["state"][0]["exp_avg_scale"] = torch.ones(6, 2)
    with pytest.raises(
        ValueError, match=r"exp_avg_scale of parameter 0 of group 0 has shape \(6, 2\).* needs \(6, 3\)"
    ):
        adamas.AdamW(params).load_state_dict(saved)


OTHER_SHAPES = [((3,), (1,)), ((1021,), (1024,)), ((2, 3, 8), (2, 24)), ((2, 5), (2, 7))]  # as many words of codes


@pytest.mark.parametrize(("was", "now"), OTHER_SHAPES)
def test_codes_of_another_shape_are_refused_though_they_are_as_many(was: tuple[int, ...], now: tuple[int, ...]):
    optimizer, _ = trained("int4", shapes=((3,), was))
    params = weights(((3,), now))
    reader = adamas.AdamW(params, state_format="int4")
    wrong = rf"exp_avg and exp_avg_sq of parameter 1 of group 0 .* shape {re.escape(f'{was}, this one has {now}')}"
    with pytest.raises(ValueError, match=wrong):
        reader.load_state_dict(optimizer.state_dict())
    assert not reader.state
    report = reader.load_state_dict(optimizer.state_dict(), strict=False)
    assert len(report.unfit) == 1
    assert list(reader.state) == params[:1]


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_know_the_shape_of_codes(suffix: str, tmp_path: Path):
    optimizer, _ = trained("int4", shapes=((3,),))
    file = adamas.save(tmp_path / f"checkpoint{suffix}", optimizer=optimizer, step=1)
    with pytest.raises(ValueError, match=r"shape \(3,\), this one has \(1,\)"):
        adamas.load(file, optimizer=adamas.AdamW(weights(((1,),)), state_format="int4"))


def test_what_has_no_slots_now_may_have_another_shape():
    params = weights(((3,),))
    optimizer = adamas.SGD(params, momentum=0.9, state_format="int4")
    train(optimizer, params, gradients(params, steps=2))
    reader = adamas.SGD(weights(((1,),)))
    reader.load_state_dict(optimizer.state_dict(), hyperparameters="keep")


@every_format
def test_rows_move_exactly_whatever_the_format(form: str):
    optimizer, (old,) = trained(form, shapes=((6, 300),))
    before = to_torch(optimizer)["state"][0]
    new = Parameter(torch.zeros(4, 300))
    optimizer.replace(old, new, rows=[5, -1, 0, 2])
    after = to_torch(optimizer)["state"][0]
    for slot in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(after[slot][[0, 2, 3]], before[slot][[5, 0, 2]])
        assert not after[slot][1].any()
    train(optimizer, [new], gradients([new], steps=1))


@every_format
@pytest.mark.parametrize(("shape", "dim"), [((6, 300), 1), ((300,), 0)], ids=["columns", "vector"])
def test_columns_move_through_float32(form: str, shape: tuple[int, ...], dim: int):
    optimizer, (old,) = trained(form, shapes=(shape,))
    before = to_torch(optimizer)["state"][0]
    kept = torch.arange(0, 300, 2)
    new = Parameter(old.detach().index_select(dim, kept))
    optimizer.replace(old, new, rows=kept, dim=dim)
    after = to_torch(optimizer)["state"][0]
    for slot in ("exp_avg", "exp_avg_sq"):
        want = before[slot].index_select(dim, kept)
        assert (after[slot] - want).abs().max() <= 4 * STEP[form] * want.abs().max()
    train(optimizer, [new], gradients([new], steps=1))
