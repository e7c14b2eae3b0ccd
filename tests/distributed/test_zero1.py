"""ZeRO-1: moments are shared out, weights are those of one process, to the bit."""

from __future__ import annotations

import pytest

from tests.ranks import Ranks

from . import zero_jobs as jobs

every_size = pytest.mark.parametrize("size", [2, 4])


@every_size
def test_every_rule_and_format_steps_as_in_one_process(ranks: Ranks, size: int) -> None:
    assert ranks.each(size, jobs.every_rule_and_format) == [[]] * size


@every_size
def test_training_through_ddp(ranks: Ranks, size: int) -> None:
    assert ranks.each(size, jobs.trained) == [[]] * size


def test_guards_are_over_whole_gradients(ranks: Ranks) -> None:
    assert ranks.each(4, jobs.guarded) == [[]] * 4


@every_size
def test_state_is_shared_evenly(ranks: Ranks, size: int) -> None:
    found = ranks.each(size, jobs.balance)
    for form in found[0]:
        total = sum(each[form]["bytes"] for each in found)
        assert max(each[form]["bytes"] for each in found) <= 1.05 * total / size
        assert all(each[form]["bytes"] == each[form]["report"] for each in found)


def test_buckets_are_sent_while_the_next_is_stepped(ranks: Ranks) -> None:
    for each in ranks.each(2, jobs.overlapped):
        assert each["kept"]
        events = each["events"]
        assert events.count("send") == events.count("put") > 2
        # The second bucket is stepped before the first one is put in place.
        assert events[: events.index("put")].count("step") > 1
        assert events[-2:] == ["put", "put"]


def test_states_go_in_and_out_whole(ranks: Ranks) -> None:
    assert ranks.each(4, jobs.exchanged) == [[]] * 4


def test_what_cannot_be_is_refused(ranks: Ranks) -> None:
    for said in ranks.each(2, jobs.refused):
        assert "ZeRO1 is for parameters that every process has whole" in said["dtensor"]
        assert "weight_decay" in said["keyword"]
        assert "ZeRO1 and gradient release do not go together" in said["release"]
        assert "bucket_bytes must be positive" in said["bucket"]
        assert "has a sparse gradient, which only whole parameters can have" in said["sparse"]
