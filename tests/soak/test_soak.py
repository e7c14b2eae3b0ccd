"""Trainings that are made and dropped leave nothing behind. ``make soak`` lives through thousands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nothing_grows_with_the_number_of_trainings() -> None:
    """In a process of its own: other tests leave caches that would hide a leak."""
    command = [sys.executable, str(ROOT / "tools" / "soak.py"), "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
