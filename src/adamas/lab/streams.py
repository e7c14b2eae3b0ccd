"""The random streams of a run, paired: the same for every optimizer, whatever that draws itself.

Every stream has a seed of its own, made of its name and the number of the paired seed.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from adamas.lab.data import Batch
from adamas.lab.errors import LabError
from adamas.lab.workloads import Workload


def stream_seed(seed: int, stream: str) -> int:
    """Derives the seed of one random stream, so that no two streams or paired seeds share numbers.

    Example:
        >>> stream_seed(0, "batches") == stream_seed(0, "initialization")
        False
    """
    return int.from_bytes(hashlib.sha256(f"{stream}:{seed}".encode()).digest()[:7], "big")


def initialized_model(workload: Workload, seed: int) -> nn.Module:
    """The workload's model with the initial weights of that paired seed, the same for every optimizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "initialization"))
        return workload.model()


def batches(data: Batch, batch_size: int, seed: int, skip: int = 0) -> Iterator[Batch]:
    """Endless shuffled batches, the same for every optimizer; a short last batch of an epoch is left out.

    Args:
        data: tensors that share their first axis.
        batch_size: examples per batch.
        seed: number of the paired seed.
        skip: batches to leave out at the beginning, without taking them from the data.

    Example:
        >>> stream = batches((torch.arange(5),), batch_size=2, seed=0)
        >>> [len(next(stream)[0]) for _ in range(4)]
        [2, 2, 2, 2]
    """
    count = len(data[0])
    if batch_size > count:
        raise LabError(f"a batch of {batch_size} is larger than the {count} training examples", "make it smaller")
    generator = torch.Generator().manual_seed(stream_seed(seed, "batches"))
    epochs, batch = divmod(skip, count // batch_size)
    for _ in range(epochs):
        torch.randperm(count, generator=generator)
    while True:
        order = torch.randperm(count, generator=generator)
        first, batch = batch * batch_size, 0
        for start in range(first, count - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield tuple(tensor[chosen] for tensor in data)


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread, as sums over several round differently; and the caller's random stream left as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
