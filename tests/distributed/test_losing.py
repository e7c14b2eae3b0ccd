"""A process that is killed or hangs in a step: the others say so in time, and a restart goes on to the same bits."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.ranks import Ranks

from . import losing_jobs as jobs

SIZE, SOON = 4, 3.0  # processes; seconds that one waits for another


@pytest.mark.parametrize("kind", ["fsdp", "zero"])
def test_killed_in_a_step(ranks: Ranks, tmp_path: Path, kind: str) -> None:
    disturbed, calm = str(tmp_path / "disturbed"), str(tmp_path / "calm")
    outcomes = ranks.outcomes(SIZE, jobs.train, kind=kind, folder=disturbed, end="kill")
    assert outcomes.pop(jobs.LOST)["signal"] == signal.SIGKILL
    for outcome in outcomes:
        assert outcome.get("kind") == "LostProcessError", outcome
        assert "start the job again and load its last checkpoint" in outcome["said"]
    again = ranks.each(SIZE, jobs.train, kind=kind, folder=disturbed)
    once = ranks.each(SIZE, jobs.train, kind=kind, folder=calm)
    assert [each["first"] for each in again] == [3] * SIZE
    assert [each["first"] for each in once] == [0] * SIZE
    assert [each["digest"] for each in again] == [each["digest"] for each in once]


def test_hanging_in_a_step(ranks: Ranks, tmp_path: Path) -> None:
    outcomes = ranks.outcomes(SIZE, jobs.train, wait=SOON, kind="zero", folder=str(tmp_path), end="hang")
    del outcomes[jobs.LOST]
    for outcome in outcomes:
        assert outcome.get("kind") == "LostProcessError", outcome
