"""Number formats, roundings and random numbers, as ``csrc/numbers.h`` has them.

Kinds of operands have the numbers of the C ABI: 0 float32, 1 float64, 2 bfloat16, 3 float16; slots in codes 4 and 5
(int8 with signs, without), 6 and 7 (int4); -1 is none.
"""

import triton
import triton.language as tl

_GOLDEN64 = tl.constexpr(0x9E3779B97F4A7C15)
_MIX1 = tl.constexpr(0xBF58476D1CE4E5B9)
_MIX2 = tl.constexpr(0x94D049BB133111EB)
_TWO_GOLDEN = tl.constexpr(0x9E379E37)  # 2^16 over the golden ratio, twice
_MAGIC = tl.constexpr(12582912.0)  # 1.5 * 2^23: x + _MAGIC has x, rounded to a whole number, in its lowest bits


@triton.jit
def bits_of(x):
    """Return the bits of float32 numbers (uint32)."""
    return x.to(tl.uint32, bitcast=True)


@triton.jit
def float_of(bits):
    """Return the float32 numbers that have these bits."""
    return bits.to(tl.float32, bitcast=True)


@triton.jit
def nearest_whole(x):
    """Return |x| < 2^22 rounded to a whole number, ties to even."""
    return (x + _MAGIC) - _MAGIC


@triton.jit
def make_key(stream, step, operand):
    """Return the key of an operand's random numbers: splitmix64 (Steele, Lea & Flood 2014)."""
    place = step.to(tl.uint64) * 8 + (operand + 1)
    z = stream.to(tl.uint64, bitcast=True) + place * tl.full((), _GOLDEN64, tl.uint64)
    z = (z ^ (z >> 30)) * tl.full((), _MIX1, tl.uint64)
    z = (z ^ (z >> 27)) * tl.full((), _MIX2, tl.uint64)
    z = z ^ (z >> 31)
    return z.to(tl.uint32), (z >> 32).to(tl.uint32)


@triton.jit
def hash32(a, b, index):
    """Return 32 random bits for an index (uint32): "lowbias32" (Wellons 2018), the key's halves between its rounds."""
    x = index + a
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = ((x ^ (x >> 15)) + b) * 0x846CA68B
    return x ^ (x >> 16)


@triton.jit
def random16(a, b, strip, lane):
    """Return 16 random bits for an element: its strip of 32 elements has a hash, from which it is golden sections.

    Args:
        a: half of the key.
        b: the other.
        strip: the element's row-major index over 32 (int64).
        lane: the rest of it (uint32).
    """
    h = hash32(a + (strip >> 27).to(tl.uint32) * 0x9E3779B9, b, strip.to(tl.uint32) & 0x7FFFFFF)
    x = h + (lane & 15) * _TWO_GOLDEN
    return tl.where((lane & 16) != 0, x >> 16, x & 0xFFFF)


@triton.jit
def to_bfloat16(x, random):
    """Return the upper 16 bits (uint16) of x + random."""
    bits = bits_of(x)
    nan = (bits & 0x7FFFFFFF) > 0x7F800000
    return tl.where(nan, 0x7FC0, (bits + random) >> 16).to(tl.uint16)


@triton.jit
def to_bfloat16_nearest(x):
    """Return bfloat16's bits, rounded to nearest even."""
    return to_bfloat16(x, ((bits_of(x) >> 16) & 1) + 0x7FFF)


@triton.jit
def to_float16(x, random):
    """Return float16's bits, rounded at random by 13 bits."""
    bits = bits_of(x)
    magnitude = bits & 0x7FFFFFFF
    normal = (magnitude + random - (112 << 23)) >> 13
    grains = float_of(magnitude) * 16777216.0 + random.to(tl.float32) * 0.0001220703125
    small = magnitude < 0x38800000
    code = tl.where(small, tl.where(small, grains, 0.0).to(tl.uint32), tl.where(normal > 0x7C00, 0x7C00, normal))
    code = tl.where(magnitude >= 0x47800000, 0x7C00, code)
    code = tl.where(magnitude > 0x7F800000, 0x7E00, code)
    return (code | ((bits >> 16) & 0x8000)).to(tl.uint16)


@triton.jit
def to_float16_nearest(x):
    """Return float16's bits, rounded to nearest even."""
    bits = bits_of(x)
    magnitude = bits & 0x7FFFFFFF
    normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1) - (112 << 23)) >> 13
    # Adding 1/2 leaves the value's multiple of 2^-24, rounded to nearest even, in the last mantissa bits.
    tiny = bits_of(float_of(magnitude) + 0.5) - 0x3F000000
    code = tl.where(magnitude < 0x38800000, tiny, tl.where(normal > 0x7C00, 0x7C00, normal))
    code = tl.where(magnitude >= 0x47800000, 0x7C00, code)
    code = tl.where(magnitude > 0x7F800000, 0x7E00, code)
    return (code | ((bits >> 16) & 0x8000)).to(tl.uint16)


@triton.jit
def from_float16(bits):
    """Return float16 numbers (uint16 bits) as float32."""
    return bits.to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def load(address, KIND: tl.constexpr, at, mask):
    """Return numbers of a plain kind as float32 (float64 as it is)."""
    if KIND == 0:
        x = tl.load(address.to(tl.pointer_type(tl.float32)) + at, mask=mask, other=0.0)
    elif KIND == 1:
        x = tl.load(address.to(tl.pointer_type(tl.float64)) + at, mask=mask, other=0.0)
    elif KIND == 2:
        bits = tl.load(address.to(tl.pointer_type(tl.uint16)) + at, mask=mask, other=0)
        x = float_of(bits.to(tl.uint32) << 16)
    else:
        x = from_float16(tl.load(address.to(tl.pointer_type(tl.uint16)) + at, mask=mask, other=0))
    return x


@triton.jit
def rounded(x, KIND: tl.constexpr, RANDOM: tl.constexpr, stream, step, operand, strip, lane):
    """Return what is stored of numbers of a plain kind: themselves, or 16 bits of each."""
    if KIND == 0:
        stored = x
    else:
        if RANDOM:
            a, b = make_key(stream, step, operand)
            random = random16(a, b, strip, lane)
            if KIND == 2:
                stored = to_bfloat16(x, random)
            else:
                stored = to_float16(x, random >> 3)
        else:
            if KIND == 2:
                stored = to_bfloat16_nearest(x)
            else:
                stored = to_float16_nearest(x)
    return stored


@triton.jit
def store(address, KIND: tl.constexpr, at, stored, mask):
    """Write what `rounded` returned."""
    if KIND == 0:
        tl.store(address.to(tl.pointer_type(tl.float32)) + at, stored, mask=mask)
    else:
        tl.store(address.to(tl.pointer_type(tl.uint16)) + at, stored, mask=mask)
