"""Data sets that need no download: a file inside an installed package, read without importing the package.

Importing scikit-learn costs a worker more than a second, and the file it would read is a 57 KB table, so the
table is read directly. A new data set is one function here that returns a `Data`.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adamas.lab.errors import LabError

Batch = tuple[Tensor, ...]
"""Tensors that share their first axis, which counts examples: for a classifier `(inputs, labels)`."""


@dataclass(frozen=True)
class Data:
    """A fixed split: `train` is what the optimizer sees, `test` is what it never does."""

    train: Batch
    test: Batch


def package_file(package: str, module: str, path: str) -> Path:
    """Finds a data file that an installed package brings, without importing that package.

    Args:
        package: the name to `pip install`, for the error message.
        module: the top-level module the package installs.
        path: the file, relative to that module's folder.

    Raises:
        LabError: the package is not installed, or no longer has the file.

    Example:
        >>> package_file("scikit-learn", "sklearn", "datasets/data/digits.csv.gz").name
        'digits.csv.gz'
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise LabError(f"the data set needs {package}, which is not installed", f"pip install {package}")
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.is_file():
        raise LabError(f"{package} has no file {path}", "install a version of it that does")
    return file


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


@cache
def digits() -> Data:
    """1,797 real hand-written digits, 8x8 pixels in [0, 1]: 1,438 to train on, 359 to test with.

    From the UCI repository (Alpaydin and Kaynak, 1998), as scikit-learn ships it.

    Example:
        >>> images, labels = digits().train
        >>> images.shape, labels.shape
        (torch.Size([1438, 64]), torch.Size([1438]))
    """
    file = package_file("scikit-learn", "sklearn", "datasets/data/digits.csv.gz")
    with gzip.open(file, "rt") as text:
        table = torch.from_numpy(np.loadtxt(text, delimiter=",", dtype=np.float32))
    return fixed_split((table[:, :64] / 16, table[:, 64].long()), test_share=0.2)
