"""One byte an element, as ``csrc/int8.h`` has it: formats/int8.py has the code maps."""

import triton
import triton.language as tl

from adamas.kernels.blocks import SIGNED_TINY, TINY, UNIT, flushed, largest, over
from adamas.kernels.numbers import bits_of, hash32, make_key
from adamas.kernels.vocabulary import maximum, root

_PER_SIGNED, _PER_UNSIGNED = tl.constexpr(1 / 127.0**2), tl.constexpr(1 / 255.0**2)
_GOLDEN = tl.constexpr(2654435769)
_SETTLED = tl.constexpr(1024.0)


@triton.jit
def read_int8(codes, scales, SIGNED: tl.constexpr, row, column, length, mask):
    """Return elements of rows, wherever they are."""
    block = row * ((length + 127) // 128) + column // 128
    scale = tl.load(scales.to(tl.pointer_type(tl.float32)) + block, mask=mask, other=0.0)
    return _decoded(codes, scale, SIGNED, row * length + column, mask)


@triton.jit
def read_int8_units(codes, scales, SIGNED: tl.constexpr, at, block, mask, there):
    """Return units (a tile); ``block`` are their numbers in the tensor."""
    scale = tl.load(scales.to(tl.pointer_type(tl.float32)) + block, mask=there, other=0.0)
    return _decoded(codes, scale[:, None], SIGNED, at, mask)


@triton.jit
def _decoded(codes, scale, SIGNED: tl.constexpr, at, mask):
    if SIGNED:
        q = tl.load(codes.to(tl.pointer_type(tl.int8)) + at, mask=mask, other=0).to(tl.float32)
        x = (q * tl.abs(q)) * (scale * _PER_SIGNED)
    else:
        q = tl.load(codes.to(tl.pointer_type(tl.uint8)) + at, mask=mask, other=0).to(tl.float32)
        square_root = (q * q) * (scale * _PER_UNSIGNED)
        x = square_root * square_root
        x = tl.where((x >= TINY) | (x != x), x, 0.0)
    return x


@triton.jit
def _chance(scale, BITS: tl.constexpr, stream, step, operand):
    """Return numbers in 0 .. 1, never 1, for the elements of units."""
    a, b = make_key(stream, step, operand)
    h = hash32(a, b, bits_of(scale) & 0x7FFFFF)
    further = tl.arange(0, UNIT).to(tl.uint32) * _GOLDEN
    drawn = (h[:, None] + further[None, :]) >> (32 - BITS)
    return drawn.to(tl.float32) * (1.0 / (1 << BITS))


@triton.jit
def _signed_codes(x, stream, step, operand):
    scale, usable = largest(x, SIGNED_TINY)
    w = flushed(tl.abs(x)) * over(16129.0, scale, usable)[:, None]
    s = tl.where(w < _SETTLED, _chance(scale, 12, stream, step, operand), 0.5)
    q = tl.floor(root(maximum((w - s) + s * s, 0.0)) + s)
    q = tl.where(usable[:, None], q, 0.0).to(tl.int32)
    return tl.where(x < 0.0, 0 - q, tl.where(x > 0.0, q, 0)), scale


@triton.jit
def _unsigned_codes(v, stream, step, operand):
    r = root(tl.where(v != v, v, flushed(v)))
    scale, usable = largest(r, TINY)
    y = r * over(65025.0, scale, usable)[:, None]
    k = tl.floor(root(y))
    square = k * k
    # y^2 - k^4 and (k + 1)^4 - k^4, in factors.
    steps = (2.0 * k + 1.0) * (2.0 * (square + k) + 1.0)
    up = _chance(scale, 23, stream, step, operand) * steps < (y - square) * (y + square)
    q = k + tl.where(up, 1.0, 0.0)
    q = tl.where(q < 1.0, 1.0, tl.where(q > 255.0, 255.0, q))
    return tl.where(usable[:, None] & (r > 0.0), q, 0.0).to(tl.int32), scale


@triton.jit
def write_int8(codes, scales, SIGNED: tl.constexpr, x, at, block, mask, there, stream, step, operand):
    """Write units (a tile) and their scales; ``block`` are their numbers in the tensor, counted through its rows."""
    x = tl.where(mask, x, 0.0)
    if SIGNED:
        q, scale = _signed_codes(x, stream, step, operand)
        tl.store(codes.to(tl.pointer_type(tl.int8)) + at, q.to(tl.int8), mask=mask)
    else:
        q, scale = _unsigned_codes(x, stream, step, operand)
        tl.store(codes.to(tl.pointer_type(tl.uint8)) + at, q.to(tl.uint8), mask=mask)
    tl.store(scales.to(tl.pointer_type(tl.float32)) + block, scale, mask=there)
