"""Rows and blocks: what formats of one code an element have in common.

A parameter is a matrix: its first dimension, and all others as one. A row of it is cut into blocks of consecutive
elements, the last one short, and a block never crosses a row: rare rows of an embedding do not share a scale with busy
ones, and a parameter that is sharded along its first dimension has the same codes as a whole one.

A block has a scale, taken from its largest magnitude. Every operation on it is one correctly rounded float32
operation, in an order that does not depend on how wide a register is, so that all engines find the same codes:
`lane_sum` says in which.

Numbers are float32's normal ones: a block whose largest magnitude is below 2^-126 (2^-100 for a slot with signs) is a
block of zeros; one of 2^126 or more, an infinity or a NaN makes the block's scale and all that is read from it NaN.
"""

from __future__ import annotations

from math import prod

import torch

LANES = 16
TINY, SIGNED_TINY, HUGE = 2.0**-126, 2.0**-100, 2.0**126


def rows_of(shape: torch.Size) -> tuple[int, int]:
    """Return how many rows a tensor has, and how long they are.

    Example:
        >>> rows_of(torch.Size([64, 3, 7, 7])), rows_of(torch.Size([10])), rows_of(torch.Size([]))
        ((64, 147), (1, 10), (1, 1))
    """
    return (shape[0], prod(shape[1:])) if len(shape) > 1 else (1, prod(shape))


def blocks_of(length: int, size: int) -> int:
    """Return how many blocks a row has."""
    return -(-length // size)


def real_shape(p: torch.Tensor) -> torch.Size:
    """Return the shape of a parameter as real numbers: a complex one has a last dimension of 2 more."""
    return torch.Size([*p.shape, 2]) if p.is_complex() else p.shape


def cut(values: torch.Tensor, size: int) -> torch.Tensor:
    """Return values as float32 (rows, blocks, size), short blocks filled up with zeros."""
    rows, length = rows_of(values.shape)
    flat = values.reshape(rows, length).float()
    return torch.nn.functional.pad(flat, (0, -length % size)).view(rows, blocks_of(length, size), size)


def joined(blocks: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Undo `cut`."""
    _, length = rows_of(shape)
    return blocks.flatten(1)[:, :length].reshape(shape)


def largest(magnitudes: torch.Tensor, tiny: float = TINY) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each block's largest magnitude, and where it is usable: 0 if it is tiny, NaN if it is not finite."""
    # As integers, magnitudes are in the same order, and NaN is above infinity.
    bits = magnitudes.contiguous().view(torch.int32) & 0x7FFFFFFF  # a NaN may have a sign
    top = bits.amax(-1, keepdim=True).view(torch.float32)
    usable = (top >= tiny) & (top < HUGE)
    return torch.where(top < tiny, 0.0, torch.where(usable, top, torch.nan)), usable


def over(number: float, top: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """Return a number over the usable ones, 0 for all others."""
    # Not number / top: torch multiplies with the reciprocal then, which is two roundings.
    return torch.where(usable, torch.div(torch.full_like(top, number), top), 0.0)


def flushed(magnitudes: torch.Tensor) -> torch.Tensor:
    """Return magnitudes with denormals as zero, and NaN as zero: its block's scale says so already."""
    return torch.where(magnitudes >= TINY, magnitudes, 0.0)


def lane_sum(blocks: torch.Tensor) -> torch.Tensor:
    """Return the sum of each block: 16 running sums of every 16th element, then halves onto halves.

    Example:
        >>> lane_sum(torch.ones(1, 1, 64)).tolist()
        [[[64.0]]]
    """
    lanes = blocks.unflatten(-1, (-1, LANES))
    total = lanes[..., 0, :]
    for k in range(1, lanes.shape[-2]):
        total = total + lanes[..., k, :]
    while total.shape[-1] > 1:
        half = total.shape[-1] // 2
        total = total[..., :half] + total[..., half:]
    return total


def root(x: torch.Tensor) -> torch.Tensor:
    """Return the correctly rounded square root of float32 numbers."""
    return x.double().sqrt().float()
