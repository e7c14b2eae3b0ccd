"""Two real processes with gloo: what of sparse gradients DistributedDataParallel does right, and what drifts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.ranks import Ranks

from . import ddp
from .ddp import RANKS, Model, batches, make

PLACES = ("words.weight", "top.weight", "top.bias")


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
def test_replicas_follow_one_process(ranks: Ranks, tmp_path: Path, how: str) -> None:
    """And have the same bits, as long as all read rows that none of them trains at the same steps, or flush before.

    Means of halves are summed in another order than the mean of the whole: one process is equal up to that. A row that
    one replica alone catches up is caught up in two hops there and in one elsewhere, which round differently.
    """
    ranks.each(RANKS, ddp.trained, folder=str(tmp_path), how=how)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(RANKS))
    weights, state = alone(how)
    for each in (first, second):
        for name in PLACES:
            assert torch.allclose(each["weights"][name], weights[name], rtol=0, atol=1e-5)
        for place in range(len(PLACES)):
            for slot in ("exp_avg", "exp_avg_sq", "step"):
                assert torch.allclose(each["state"][place][slot], state[place][slot], rtol=1e-3, atol=1e-7)
    same = all(torch.equal(first["weights"][name], second["weights"][name]) for name in PLACES)
    assert same == (how != "peeking")
