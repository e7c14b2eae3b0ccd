"""A DistributedDataParallel training with sparse gradients: a job for two processes.

It is done ``lazy``, ``attached`` (exact; each catches up the rows it reads), ``peeking`` (also, and the first now and
then reads all rows on its own, as an evaluation does) or ``flushed`` (the same, and all flush before it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import adamas

WORDS, STEPS, RANKS = 40, 60, 2


class Model(torch.nn.Module):
    """An embedding and a layer: sparse and dense gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(WORDS, 6, sparse=True)
        self.top = torch.nn.Linear(6, 1)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(0.3 * torch.randn(p.shape, generator=generator))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.top(self.words(words)).square().mean()


def batches() -> list[torch.Tensor]:
    """Rows of the words of every step, for all ranks: rare ones stay rare."""
    generator, odds = torch.Generator().manual_seed(1), 1.0 / torch.arange(1, WORDS + 1)
    return [torch.multinomial(odds, 4 * RANKS, True, generator=generator) for _ in range(STEPS)]


def make(model: torch.nn.Module, how: str) -> Any:
    """Return the optimizer of one way to train."""
    sparse = "lazy" if how == "lazy" else "exact"
    return adamas.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1, sparse=sparse)


def trained(folder: str, how: str) -> None:
    """Train; leave weights and state in the folder."""
    rank = torch.distributed.get_rank()
    model = Model()
    optimizer = make(model, how)
    if how != "lazy":
        optimizer.attach(model)
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    for step, words in enumerate(batches()):
        if how == "flushed" and step % 7 == 0:
            optimizer.flush()
        if how in ("peeking", "flushed") and step % 7 == 0 and rank == 0:
            with torch.no_grad():
                model(torch.arange(WORDS))
        loss = wrapped(words.chunk(RANKS)[rank])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.flush()
    state = optimizer.state_dict()["state"]
    torch.save({"weights": model.state_dict(), "state": state}, Path(folder) / f"rank{rank}.pt")
