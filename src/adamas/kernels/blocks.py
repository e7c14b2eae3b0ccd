"""Rows and blocks, as ``csrc/blocks.h`` has them: what int8 and int4 have in common.

formats/blocks.py has the definitions. Slots in blocks are stepped in units of 128 elements of a row: a tile is
(units, 128).
"""

import triton
import triton.language as tl

from adamas.kernels.numbers import bits_of, float_of
from adamas.kernels.vocabulary import divide

UNIT = tl.constexpr(128)
TINY, SIGNED_TINY, HUGE = tl.constexpr(2.0**-126), tl.constexpr(2.0**-100), tl.constexpr(2.0**126)


@triton.jit
def row_number(i, there, rows, ROWS: tl.constexpr):
    """Return the number in its tensor of the i-th row that is stepped: all rows are, or, with ROWS, these."""
    if ROWS:
        i = tl.load(rows + i, mask=there, other=0)
    return i


@triton.jit
def not_a_number(like):
    """Return NaN, as many as ``like`` has elements."""
    return float_of(tl.full(like.shape, 0x7FC00000, tl.uint32))


@triton.jit
def largest(x, tiny):
    """Return the largest magnitude of each row of a tile, and whether it is usable: 0 if tiny, NaN if not finite."""
    # As integers, magnitudes are in the same order, and NaN is above infinity.
    top = float_of(tl.max(bits_of(x) & 0x7FFFFFFF, axis=1))
    usable = (top >= tiny) & (top < HUGE)
    return tl.where(top < tiny, 0.0, tl.where(usable, top, not_a_number(top))), usable


@triton.jit
def over(number, top, usable):
    """Return a number over the usable ones, 0 for all others."""
    return tl.where(usable, divide(tl.full(top.shape, number, tl.float32), tl.where(usable, top, 1.0)), 0.0)


@triton.jit
def flushed(magnitudes):
    """Return magnitudes with denormals and NaN as zero."""
    return tl.where(magnitudes >= TINY, magnitudes, 0.0)


@triton.jit
def halved(x):
    """Return (rows, n) as (rows, n / 2): the first half plus the second."""
    return tl.sum(tl.reshape(x, (x.shape[0], 2, x.shape[1] // 2)), axis=1)


@triton.jit
def lanes_added(x):
    """Return the sums of 16 lanes (rows, 16), as (rows, 1): halves onto halves."""
    return halved(halved(halved(halved(x))))


@triton.jit
def unsigned_block_sum(x):
    """Return the sums of blocks of 64 (rows, 64), as (rows, 1): 16 running sums of every 16th element, then halves."""
    fours = tl.reshape(x, (x.shape[0], 2, 2, 16))
    late, odd = tl.arange(0, 2)[None, :, None, None] == 1, tl.arange(0, 2)[None, None, :, None] == 1
    # Only sums of two numbers, zeros beside: no order is left to the compiler.
    three = tl.sum(tl.sum(tl.where(late & odd, 0.0, fours), axis=2), axis=1)
    fourth = tl.sum(tl.sum(tl.where(late & odd, fours, 0.0), axis=2), axis=1)
    return lanes_added(three + fourth)
