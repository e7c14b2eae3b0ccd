"""Checkpoints of several processes: saved by N, loaded by M, every format, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ranks import Ranks

from . import checkpoint_jobs as jobs

SIZES = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def saved(ranks: Ranks, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folders of checkpoints, by 1 to 4 processes with FSDP2, and by 2 with ZeRO-1."""
    folder = tmp_path_factory.mktemp("saved")
    for kind, size in [*(("fsdp", size) for size in SIZES), ("zero", 2)]:
        ranks.each(size, jobs.save, kind=kind, folder=str(folder / f"{kind}-{size}"))
    return [str(each) for each in sorted(folder.iterdir())]


@pytest.mark.parametrize("size", SIZES)
def test_training_goes_on_to_the_same_bits(ranks: Ranks, saved: list[str], size: int) -> None:
    """Every saver with codes below 16 bits, which have most to go wrong; every format from another number of savers."""
    assert len(saved) == 5
    folders = {form: [saved[size % 4]] for form in jobs.FORMATS} | {"split24": saved}
    assert ranks.each(size, jobs.go_on, kind="fsdp", folders=folders) == [[]] * size


def test_training_goes_on_with_zero1(ranks: Ranks, saved: list[str]) -> None:
    folders = {form: [saved[3]] for form in jobs.FORMATS} | {"split24": [saved[0], saved[3], saved[4]]}
    assert ranks.each(3, jobs.go_on, kind="zero", folders=folders) == [[]] * 3


def test_whole_state_dicts_go_both_ways(ranks: Ranks, tmp_path: Path) -> None:
    assert ranks.each(2, jobs.whole_dicts, folder=str(tmp_path)) == [[]] * 2


@pytest.mark.parametrize("kind", ["fsdp", "zero"])
def test_a_step_with_lr_0_changes_no_bit(ranks: Ranks, kind: str) -> None:
    assert ranks.each(2, jobs.nothing_happens, kind=kind) == [[]] * 2


def test_blocks_of_whole_vectors_are_not_taken_for_numbers(ranks: Ranks, tmp_path: Path) -> None:
    for said in ranks.each(2, jobs.plain_to_sharded, folder=str(tmp_path)):
        assert "ize mismatch" in said
        assert "exp_avg_scale" in said
