"""The examples for torchrun: FSDP2 and ZeRO-1 train alike, and go on with another number of processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ranks import ROOT


def launch(example: str, size: int, steps: int, folder: Path) -> str:
    """Return what an example prints in some processes."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)),
            *(f"examples/{example}.py", "--steps", str(steps), "--folder", str(folder)),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_both_train_alike_and_go_on(tmp_path: Path) -> None:
    pytest.importorskip("typer")  # the lab is installed
    said = launch("torchrun_fsdp2", 2, 20, tmp_path)
    assert "2 processes from step 0" in said
    more = launch("torchrun_ddp_zero1", 1, 40, tmp_path)  # the other one's checkpoint, by another number of processes
    assert "1 processes from step 20" in more
    losses = [float(x) for x in re.findall(r": ([0-9.]+) bits", said + more)]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    states = [int(x) for x in re.findall(r"of this one: ([0-9]+) bytes", said + more)]
    assert states[1] == pytest.approx(2 * states[0], rel=0.05)
