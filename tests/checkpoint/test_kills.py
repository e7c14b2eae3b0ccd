"""Whatever kills a process, no checkpoint is lost, and the next process goes on to the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ..contract.measure import assert_same_bits
from . import killing, resuming

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")

ROOT = Path(__file__).parents[2]


def program(module: str, folder: Path) -> str:
    """Runs a program of this folder and returns what it printed."""
    command = [sys.executable, "-m", f"tests.checkpoint.{module}", str(folder)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **threads}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_saver_killed_at_50_random_moments_loses_nothing(tmp_path: Path):
    # That it ends well says that all it found could be loaded, and was what had been saved.
    for suffix, seen in json.loads(program("killing", tmp_path)).items():
        assert len(seen) == killing.KILLS
        for each in seen:
            # What save() returned from is there; the one after it may be, if the kill came between rename and return.
            assert each["newest"] - each["reported"] in (0, 1)
            full = suffix != ".pt" and each["newest"] >= killing.KEEP
            assert (killing.KEEP if full else 1) <= each["kept"] <= killing.KEEP + 1
        assert any(each["drafts"] for each in seen), "no kill came while a file was being written"
        assert max(each["drafts"] for each in seen) <= 1, "drafts of killed savers are left behind"


def test_every_training_goes_on_to_the_same_bits_after_kill_9(tmp_path: Path):
    program("resuming", tmp_path)
    ends = torch.load(tmp_path / "ends", weights_only=True)
    for combination, end in zip(resuming.COMBINATIONS, ends, strict=True):
        whole = resuming.Training(combination, fresh=True)
        whole.steps(resuming.END)
        assert_same_bits(end, whole.everything(), str(combination))
