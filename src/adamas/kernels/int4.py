"""Half a byte an element, as ``csrc/int4.h`` has it: formats/int4.py has the code maps.

Codes are packed in strips of 32 elements of a row: byte j holds element j below and element j + 16 above.
"""

import triton
import triton.language as tl

from adamas.kernels.blocks import (
    HUGE,
    SIGNED_TINY,
    TINY,
    flushed,
    largest,
    not_a_number,
    over,
    row_number,
    unsigned_block_sum,
)
from adamas.kernels.numbers import bits_of, float_of, nearest_whole
from adamas.kernels.vocabulary import divide

_PER_7, _HALF_OCTAVE = tl.constexpr(1 / 7), tl.constexpr(0.5**0.5)


@triton.jit
def _row_bytes(length):
    """Return how many bytes a row takes."""
    left = length % 32
    return length // 32 * 16 + (tl.where(left < 16, left, 16) + 3) // 4 * 4


@triton.jit
def _half_octaves(q):
    """Return 2^(-(15 - q) / 2)."""
    below = 15 - q
    octave = float_of(((127 - (below >> 1)) << 23).to(tl.uint32, bitcast=True))
    return tl.where((below & 1) > 0, octave * _HALF_OCTAVE, octave)


@triton.jit
def read_int4(codes, scales, SIGNED: tl.constexpr, row, column, length, mask):
    """Return elements of rows, wherever they are."""
    size: tl.constexpr = 32 if SIGNED else 64
    block = row * ((length + size - 1) // size) + column // size
    return _decoded(codes, _read_scales(scales, SIGNED, block, mask), SIGNED, row, column, length, mask)


@triton.jit
def read_int4_units(codes, scales, SIGNED: tl.constexpr, row, start, length, mask, there):
    """Return units (a tile), which begin at these columns of their rows."""
    size: tl.constexpr = 32 if SIGNED else 64
    share: tl.constexpr = 128 // size
    units: tl.constexpr = mask.shape[0]
    begin = start[:, None] + tl.arange(0, share)[None, :] * size
    block = (row * ((length + size - 1) // size))[:, None] + begin // size
    scale = _read_scales(scales, SIGNED, block, there[:, None] & (begin < length))
    spread = tl.reshape(tl.broadcast_to(scale[:, :, None], (units, share, size)), (units, 128))
    column = start[:, None] + tl.arange(0, 128)[None, :]
    return _decoded(codes, spread, SIGNED, row[:, None], column, length, mask)


@triton.jit
def _read_scales(scales, SIGNED: tl.constexpr, block, mask):
    if SIGNED:
        bits = tl.load(scales.to(tl.pointer_type(tl.uint16)) + block, mask=mask, other=0)
        scale = float_of(bits.to(tl.uint32) << 16) * _PER_7
    else:
        scale = tl.load(scales.to(tl.pointer_type(tl.float32)) + block, mask=mask, other=0.0)
    return scale


@triton.jit
def _decoded(codes, scale, SIGNED: tl.constexpr, row, column, length, mask):
    at = row * _row_bytes(length) + column // 32 * 16 + column % 16
    both = tl.load(codes.to(tl.pointer_type(tl.uint8)) + at, mask=mask, other=0).to(tl.int32)
    q = tl.where(column % 32 < 16, both, both >> 4) & 15
    if SIGNED:
        x = tl.where(q > 7, q - 16, q).to(tl.float32) * scale
    else:
        x = _half_octaves(q) * scale
        x = tl.where((x >= TINY) | (x != x), x, 0.0)
    return x


@triton.jit
def _signed_codes(x):
    """Return codes and scale bits of blocks of 32 (blocks, 32)."""
    top, _ = largest(x, SIGNED_TINY)
    short = float_of((bits_of(top) + 0x8000) & 0xFFFF0000)
    usable = (short > 0.0) & (short < HUGE)
    scale = tl.where(usable, short, tl.where(short == 0.0, 0.0, not_a_number(short)))
    x = tl.where((tl.abs(x) >= TINY) & usable[:, None], x, 0.0)
    q = nearest_whole(x * over(7.0, short, usable)[:, None])
    return q.to(tl.int32) & 15, (bits_of(scale) >> 16).to(tl.uint16)


@triton.jit
def _unsigned_codes(x, real):
    """Return codes and scales of blocks of 64 (blocks, 64)."""
    top, usable = largest(x, TINY)
    bits = bits_of(flushed(x) * over(1.0, top, usable)[:, None]).to(tl.int32, bitcast=True)
    mantissa = bits & 0x7FFFFF
    q = 15 + 2 * ((bits >> 23) - 127) + tl.where(mantissa >= 0x1837F1, 1, 0) + tl.where(mantissa >= 0x5744FD, 1, 0)
    q = tl.where(usable[:, None], tl.where(q < 0, 0, tl.where(q > 15, 15, q)), 0)
    kept = unsigned_block_sum(float_of(bits.to(tl.uint32, bitcast=True)))
    read = unsigned_block_sum(tl.where(real, _half_octaves(q), 0.0))
    share = tl.reshape(divide(kept, tl.where(read > 0.0, read, 1.0)), top.shape)
    return q, tl.where(top > 0.0, top * share, top)


@triton.jit
def write_int4(codes, scales, SIGNED: tl.constexpr, x, first, total, per_row, length, mask, rows, ROWS: tl.constexpr):
    """Write units (a tile), and their scales.

    ``first`` is the number of the first unit that is stepped, ``total`` how many are, ``per_row`` how many a row has.
    """
    size: tl.constexpr = 32 if SIGNED else 64
    share: tl.constexpr = 128 // size
    units: tl.constexpr = x.shape[0]
    blocks = tl.reshape(tl.where(mask, x, 0.0), (units * share, size))
    real = tl.reshape(mask, (units * share, size))
    if SIGNED:
        q, scale = _signed_codes(blocks)
    else:
        q, scale = _unsigned_codes(blocks, real)
    block = tl.arange(0, units * share)
    unit = first + block // share
    column = (unit % per_row) * 128 + block % share * size
    there = (unit < total) & (column < length)
    row = row_number(unit // per_row, there, rows, ROWS)
    at = row * ((length + size - 1) // size) + column // size
    if SIGNED:
        tl.store(scales.to(tl.pointer_type(tl.uint16)) + at, scale, mask=there)
    else:
        tl.store(scales.to(tl.pointer_type(tl.float32)) + at, scale, mask=there)
    _store_packed(codes, tl.reshape(tl.where(real, q, 0), (units * 4, 32)), first, total, per_row, length, rows, ROWS)


@triton.jit
def _store_packed(codes, q, first, total, per_row, length, rows, ROWS: tl.constexpr):
    """Write the codes of strips (strips, 32)."""
    strips: tl.constexpr = q.shape[0]
    halves = tl.reshape(q, (strips, 2, 16)) << (tl.arange(0, 2) * 4)[None, :, None]
    strip = tl.arange(0, strips)
    unit = first + strip // 4
    column = (unit % per_row) * 128 + strip % 4 * 32
    at = row_number(unit // per_row, unit < total, rows, ROWS) * _row_bytes(length) + column // 2
    left = length - column
    room = tl.where(unit < total, (tl.where(left < 16, left, 16) + 3) // 4 * 4, 0)
    lane = tl.arange(0, 16)
    mask = lane[None, :] < room[:, None]
    pointer = codes.to(tl.pointer_type(tl.uint8)) + (at[:, None] + lane[None, :])
    tl.store(pointer, tl.sum(halves, axis=1).to(tl.uint8), mask=mask)
