"""What a workload trains and tests on: tensors, split once and for all."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, ...]
"""Tensors that share their first axis, which counts examples: for a classifier `(inputs, labels)`."""


@dataclass(frozen=True)
class Data:
    """A fixed split.

    Args:
        train: what the optimizer sees.
        test: what it never sees.
        probe: the part of `train` on which the train loss is evaluated; all of it by default.
    """

    train: Batch
    test: Batch
    probe: Batch | None = None


def fixed_split(tensors: Batch, test_share: float) -> Data:
    """Splits examples at random, but the same way on every machine and in every version.

    NumPy's legacy generator is used because its stream is frozen by promise.
    """
    count = len(tensors[0])
    order = torch.from_numpy(np.random.RandomState(0).permutation(count))
    tests = round(count * test_share)
    return Data(
        train=tuple(tensor[order[tests:]] for tensor in tensors),
        test=tuple(tensor[order[:tests]] for tensor in tensors),
    )
