"""The examples run; in each, adamas trains as torch's AdamW, and resumes from the framework's own checkpoint."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

NEEDS = {
    "lr_schedulers": "torch",
    "lightning_automatic": "lightning",
    "accelerate_loop": "accelerate",
    "hugging_face_trainer": "transformers",
}

# In a process of its own: frameworks leave singletons and handlers behind. In one: most of the time goes into imports.
RUN = """
import importlib, json, sys
import torch, adamas
for name in sys.argv[1:]:
    example = importlib.import_module(name)
    found = [example.main(cls) for cls in (adamas.AdamW, torch.optim.AdamW)]
    print("found", json.dumps({name: found}), flush=True)
"""

# Losses of float32: both AdamWs round differently, and a training amplifies it.
CLOSE = 1e-3


@pytest.fixture(scope="module")
def runs() -> dict[str, list[dict[str, Any]]]:
    """What each example found, with adamas and with torch."""
    names = [name for name, package in NEEDS.items() if importlib.util.find_spec(package)]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *names], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("found ") for line in done.stdout.splitlines() if line.startswith("found ")]
    return {name: found for line in lines for name, found in json.loads(line).items()}


def test_lr_schedulers(runs: dict[str, list[dict[str, Any]]]):
    mine, torchs = runs["lr_schedulers"]
    assert set(mine) == {"warmup_and_cosine", "one_cycle", "on_plateau"}
    for name, (losses, rates) in mine.items():
        assert losses[-1] < losses[0] / 2
        assert losses == pytest.approx(torchs[name][0], rel=CLOSE)
        assert rates == torchs[name][1]
    assert max(mine["one_cycle"][1]) == 0.02
    assert mine["warmup_and_cosine"][1][:2] == pytest.approx([0.002, 0.0038])


@pytest.mark.parametrize("example", [name for name in NEEDS if name != "lr_schedulers"])
def test_frameworks(example: str, runs: dict[str, list[dict[str, Any]]]):
    if example not in runs:
        pytest.skip(f"{NEEDS[example]} is not installed")
    mine, torchs = runs[example]
    assert mine["losses"][-1] < 0.7 * mine["losses"][0]
    assert mine["losses"] == pytest.approx(torchs["losses"], rel=CLOSE)
    half = len(mine["losses"]) // 2
    assert mine["resumed"][-half:] == mine["losses"][-half:]


def test_every_example_is_here():
    launched = {"torchrun_fsdp2", "torchrun_ddp_zero1"}  # by tests/distributed
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS) | launched
