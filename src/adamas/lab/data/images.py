"""Images as rows of pixels in [0, 1], with the class of each."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adamas.lab.data import places
from adamas.lab.data.split import Data, fixed_split


def _table(name: str) -> Tensor:
    """The numbers of a compressed CSV file."""
    with gzip.open(places.files(name)[0], "rt") as text:
        return torch.from_numpy(np.loadtxt(text, delimiter=",", dtype=np.float32))


@cache
def digits() -> Data:
    """1,797 real hand-written digits, 8x8 pixels in [0, 1]: 1,438 to train on, 359 to test with.

    From the UCI repository (Alpaydin and Kaynak, 1998), as scikit-learn ships it.

    Example:
        >>> images, labels = digits().train
        >>> images.shape, labels.shape
        (torch.Size([1438, 64]), torch.Size([1438]))
    """
    table = _table("digits")
    return fixed_split((table[:, :64] / 16, table[:, 64].long()), test_share=0.2)


@cache
def mnist5k() -> Data:
    """5,000 images of MNIST, 500 a class, 28x28 pixels in [0, 1]: 4,000 to train on, 1,000 to test with."""
    table = _table("mnist5k")
    return fixed_split((table[:, :784] / 255, table[:, 784].long()), test_share=0.2)


def _idx(path: Path, header: int) -> Tensor:
    """The bytes of a file in MNIST's IDX format, without its header."""
    with gzip.open(path) as file:
        return torch.from_numpy(np.frombuffer(file.read(), dtype=np.uint8, offset=header).copy())


@cache
def fashion() -> Data:
    """60,000 pictures of clothes to train on, 10,000 to test with, 28x28 pixels in [0, 1], 10 classes.

    The train loss is evaluated on the first 10,000 of them.
    """
    paths = places.files("fashion")
    images = [_idx(path, header=16).view(-1, 784).float() / 255 for path in paths[::2]]
    labels = [_idx(path, header=8).long() for path in paths[1::2]]
    train = images[0], labels[0]
    return Data(train=train, test=(images[1], labels[1]), probe=tuple(part[:10_000] for part in train))
