"""Two real processes with gloo: what of sparse gradients DistributedDataParallel does right, and what drifts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from .ddp import RANKS, Model, batches, make

ROOT = Path(__file__).parents[2]
PLACES = ("words.weight", "top.weight", "top.bias")


def together(folder: Path, how: str) -> list[dict[str, Any]]:
    """Return what both processes end with."""
    command = [sys.executable, "-m", "tests.sparse.ddp"]
    processes = [
        subprocess.Popen([*command, str(rank), str(folder), how], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for rank in range(RANKS)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(RANKS)]


def alone(how: str) -> tuple[dict[str, torch.Tensor], dict[int, dict[str, torch.Tensor]]]:
    """Return what one process with the whole batch ends with."""
    model = Model()
    optimizer = make(model, how)
    if how != "lazy":
        optimizer.attach(model)
    for words in batches():
        loss = model(words)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.flush()
    return model.state_dict(), optimizer.state_dict()["state"]


@pytest.mark.parametrize("how", ["lazy", "attached", "peeking", "flushed"])
def test_replicas_follow_one_process(tmp_path: Path, how: str) -> None:
    """And have the same bits, as long as all read rows that none of them trains at the same steps, or flush before.

    Means of halves are summed in another order than the mean of the whole: one process is equal up to that. A row that
    one replica alone catches up is caught up in two hops there and in one elsewhere, which round differently.
    """
    first, second = together(tmp_path, how)
    weights, state = alone(how)
    for each in (first, second):
        for name in PLACES:
            assert torch.allclose(each["weights"][name], weights[name], rtol=0, atol=1e-5)
        for place in range(len(PLACES)):
            for slot in ("exp_avg", "exp_avg_sq", "step"):
                assert torch.allclose(each["state"][place][slot], state[place][slot], rtol=1e-3, atol=1e-7)
    same = all(torch.equal(first["weights"][name], second["weights"][name]) for name in PLACES)
    assert same == (how != "peeking")
