"""16-bit weights with more bits of them beside, as ``csrc/split.h`` has them; rounding/split.py has the definitions.

LOW is how many bytes the bits below take: 1 or 2.
"""

import triton
import triton.language as tl

from adamas.kernels.numbers import bits_of, float_of, from_float16, nearest_whole, to_float16_nearest


@triton.jit
def _exponent(hi):
    """Return float16's exponent, at least 1: the step to the next is 2^(exponent - 25)."""
    exponent = (hi.to(tl.uint32) >> 10) & 31
    return tl.where(exponent < 1, 1, exponent)


@triton.jit
def joined(hi, low, KIND: tl.constexpr, LOW: tl.constexpr):
    """Return the weights of these halves."""
    bits_below: tl.constexpr = 15 if LOW == 2 else 8
    if KIND == 2:
        unit: tl.constexpr = 1 if LOW == 2 else 256
        x = float_of((hi.to(tl.uint32) << 16) + (low.to(tl.int32) * unit).to(tl.uint32, bitcast=True))
    else:
        step = float_of((_exponent(hi) + (102 - bits_below)) << 23)
        x = from_float16(hi) + low.to(tl.float32) * step
    return x


@triton.jit
def parted(x, KIND: tl.constexpr, LOW: tl.constexpr):
    """Return the halves of weights: 16 bits, and those below (int32)."""
    if KIND == 2:
        bits = bits_of(x)
        nan = (bits & 0x7FFFFFFF) > 0x7F800000
        upper = (bits + 0x8000) >> 16
        rest = (bits - (upper << 16)).to(tl.int32, bitcast=True)
        if LOW == 1:
            rest = (rest + 128) >> 8
            rest = tl.where(rest > 127, 127, rest)
        hi, low = tl.where(nan, 0x7FC0, upper).to(tl.uint16), tl.where(nan, 0, rest)
    else:
        bits_below: tl.constexpr = 15 if LOW == 2 else 8
        most: tl.constexpr = 16384.0 if LOW == 2 else 127.0
        hi = to_float16_nearest(x)
        finite = (hi & 0x7C00) != 0x7C00
        error = tl.where(finite, x - from_float16(hi), 0.0)
        rest = nearest_whole(error * float_of(((152 + bits_below) - _exponent(hi)) << 23))
        low = tl.where(rest > most, most, tl.where(rest < -most, -most, rest)).to(tl.int32)
    return hi, low


@triton.jit
def load_low(address, LOW: tl.constexpr, at, mask):
    """Return the bits below."""
    if LOW == 2:
        low = tl.load(address.to(tl.pointer_type(tl.int16)) + at, mask=mask, other=0)
    else:
        low = tl.load(address.to(tl.pointer_type(tl.int8)) + at, mask=mask, other=0)
    return low


@triton.jit
def store_low(address, LOW: tl.constexpr, at, low, mask):
    """Write the bits below."""
    if LOW == 2:
        tl.store(address.to(tl.pointer_type(tl.int16)) + at, low.to(tl.int16), mask=mask)
    else:
        tl.store(address.to(tl.pointer_type(tl.int8)) + at, low.to(tl.int8), mask=mask)
