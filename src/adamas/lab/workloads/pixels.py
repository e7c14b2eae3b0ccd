"""The image data sets a variant may name, and rows of pixels as images again."""

import math
from collections.abc import Mapping

from torch import Tensor

from adamas.lab.data import Data, digits, fashion, mnist5k
from adamas.lab.pictures import Picture, images

IMAGE_SETS = {"digits": digits, "mnist5k": mnist5k, "fashion": fashion}
"""What a variant of an image workload may be called; the first needs no download."""

SAMPLE = 10
"""Images in a row of a gallery: two dozen fit into a picture at 28x28."""


def image_data(variant: str) -> Data:
    """The data set of a variant; the digits if it names none."""
    return IMAGE_SETS.get(variant, digits)()


def tiles(pixels: Tensor) -> Tensor:
    """Rows of pixels as square images.

    Example:
        >>> import torch
        >>> tiles(torch.zeros(3, 64)).shape
        torch.Size([3, 8, 8])
    """
    side = math.isqrt(pixels.shape[-1])
    return pixels.detach().reshape(-1, side, side)


def gallery(title: str, rows: Mapping[str, Tensor], caption: str) -> Picture:
    """A picture of rows of pixels, as many of each as fit."""
    most = max(len(row) for row in rows.values()) if next(iter(rows.values())).shape[-1] <= 64 else 12 // len(rows)
    return images(title, {name: tiles(row[:most]) for name, row in rows.items()}, caption)


def stretched(weights: Tensor) -> Tensor:
    """Weights of either sign as grey values: zero is 0.5, the largest magnitude of all 0 or 1.

    Example:
        >>> import torch
        >>> stretched(torch.tensor([-2.0, 0.0, 1.0]))
        tensor([0.0000, 0.5000, 0.7500])
    """
    return 0.5 + weights / (2 * weights.abs().max().clamp(min=1e-12))
