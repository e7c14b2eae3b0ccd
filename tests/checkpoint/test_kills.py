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


def program(module: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.checkpoint.{module}", *arguments]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads})


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_saver_killed_at_50_random_moments_loses_nothing(tmp_path: Path, suffix: str):
    with program("killing", str(tmp_path), suffix) as running:
        output, _ = running.communicate()
    assert running.returncode == 0  # all that it found, it could load, and it was what had been saved
    seen = json.loads(output)
    assert len(seen) == killing.KILLS
    for each in seen:
        # What save() returned from is there; the one after it may be, if the kill came between rename and return.
        assert each["newest"] - each["reported"] in (0, 1)
        assert each["kept"] >= (killing.KEEP if suffix != ".pt" and each["newest"] >= killing.KEEP else 1)
        assert each["kept"] <= killing.KEEP + 1
    assert any(each["drafts"] for each in seen), "no kill came while a file was being written"
    assert max(each["drafts"] for each in seen) <= 1, "drafts of killed savers are left behind"


def test_every_training_goes_on_to_the_same_bits_after_kill_9(tmp_path: Path):
    with program("resuming", "train", str(tmp_path)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "saved\n"
        running.kill()
    assert running.returncode == -9
    with program("resuming", "resume", str(tmp_path)) as running:
        running.communicate()
    assert running.returncode == 0
    ends = torch.load(tmp_path / "ends", weights_only=True)
    for combination, end in zip(resuming.COMBINATIONS, ends, strict=True):
        whole = resuming.Training(combination, fresh=True)
        whole.steps(resuming.END)
        assert_same_bits(end, whole.everything(), str(combination))
