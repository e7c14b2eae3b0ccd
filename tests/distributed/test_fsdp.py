"""Parameters in pieces (FSDP2, tensor parallel): steps are those of a whole model, to the bit."""

from __future__ import annotations

import importlib.util

import pytest

from tests.ranks import Ranks

from . import fsdp_jobs as jobs

every_size = pytest.mark.parametrize("size", [2, 4])


@every_size
def test_every_rule_and_format_steps_as_whole(ranks: Ranks, size: int) -> None:
    assert ranks.each(size, jobs.every_rule_and_format) == [[]] * size


@every_size
def test_every_rounding_has_the_same_random_numbers(ranks: Ranks, size: int) -> None:
    engines = ["auto", "reference"] if size == 4 else ["auto"]
    assert ranks.each(size, jobs.every_rounding, engines=engines) == [[]] * size


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_triton_has_the_same_random_numbers(ranks: Ranks) -> None:
    assert ranks.each(2, jobs.on_triton) == [[]] * 2


@every_size
def test_clipping_is_by_norms_of_whole_gradients(ranks: Ranks, size: int) -> None:
    assert ranks.each(size, jobs.guarded) == [[]] * size


@every_size
def test_one_bad_piece_stops_all(ranks: Ranks, size: int) -> None:
    skipped = ranks.each(size, jobs.one_bad_gradient, nonfinite="skip")
    assert skipped == [{"skipped": 1, "said": "", "same": True, "step": 1.0}] * size
    raised = ranks.each(size, jobs.one_bad_gradient, nonfinite="raise")
    assert all("'2.0.weight' (group 0) (2 NaN and 1 infinite of 390)" in each["said"] for each in raised)
    assert all(each["same"] and each["step"] == 1.0 for each in raised)


def test_a_gradient_scaler_sees_all_pieces(ranks: Ranks) -> None:
    assert ranks.each(2, jobs.scaled) == [[]] * 2


@every_size
def test_state_is_placed_as_the_parameter_and_shared_evenly(ranks: Ranks, size: int) -> None:
    found = ranks.each(size, jobs.placed)
    for form in found[0]:
        assert [each[form]["wrong"] for each in found] == [[]] * size
        total = sum(each[form]["bytes"] for each in found)
        assert max(each[form]["bytes"] for each in found) <= 1.05 * total / size
        assert all(0 <= each[form]["report"] - each[form]["bytes"] <= 4 * 6 for each in found)  # counters


def test_a_step_keeps_its_plan_and_dispatches_nothing(ranks: Ranks) -> None:
    for each in ranks.each(2, jobs.steady):
        assert each == {"called": [], "kept": True, "replaced": True, "versions": 1, "unreached": True}


def test_meshes_are_mixed(ranks: Ranks) -> None:
    assert ranks.each(4, jobs.two_meshes) == [[]] * 4


def test_gradients_placed_otherwise_are_moved(ranks: Ranks) -> None:
    assert ranks.each(2, jobs.moved_gradients) == [[]] * 2


def test_training_through_fsdp(ranks: Ranks) -> None:
    assert ranks.each(4, jobs.trained) == [[]] * 4


def test_what_cannot_be_is_refused(ranks: Ranks) -> None:
    for said in ranks.each(2, jobs.refused):
        assert (
            "parameter 'w' (group 0) cannot have moments in int8: it is cut into 2 along dimension 1" in said["columns"]
        )
        assert "differentiable=True is for plain parameters" in said["differentiable"]
        assert "is cut over processes, and replace() is for whole parameters" in said["replace"]


def test_gradients_are_released_after_the_reduce(ranks: Ranks) -> None:
    assert ranks.each(2, jobs.released) == [[]] * 2
