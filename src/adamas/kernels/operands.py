"""What a launch has of each tensor, and how its operands are read.

A tensor has a row of FIELDS int64 in the launch's table, made by `adamas.engines.triton_table`:

    0  elements of a row     3  weight       8..10  scales       13  first program of a sum
    1  rows                  4  bits below   11     stream
    2  first program         5..7  slots     12     first block of a sum
    14  row-major index of the first element, 0 unless the tensor is a piece of a larger one

Slots in blocks have the tensor's rows; otherwise all elements are one row. Elements are counted in the order in which
the engines walk them: that of the weight's memory, or row-major where slots are in blocks.
"""

import triton
import triton.language as tl

from adamas.kernels.int4 import read_int4
from adamas.kernels.int8 import read_int8
from adamas.kernels.numbers import load
from adamas.kernels.split import joined, load_low

FIELDS = tl.constexpr(16)
WEIGHT_FIELD, LOW_FIELD, SLOT_FIELD, SCALE_FIELD, STREAM_FIELD = map(tl.constexpr, (3, 4, 5, 8, 11))
FIRST_PROGRAM, FIRST_BLOCK, FIRST_SUM, ORIGIN_FIELD = map(tl.constexpr, (2, 12, 13, 14))
AROUND = tl.constexpr(3)  # keep, l2, factor: before the rule's own numbers


@triton.jit
def whereabouts(table, layout, tensor, at, DIMS: tl.constexpr):
    """Return where the elements are in weight, gradient, slots and bits below, and their row-major index.

    Args:
        table: what does not change from step to step.
        layout: for each tensor and dimension 8 int64: its size, and these strides.
        tensor: number of the tensor.
        at: the elements' numbers.
        DIMS: how many dimensions there are; 0: all operands are simply row-major.
    """
    origin = tl.load(table + tensor * FIELDS + ORIGIN_FIELD)
    if DIMS == 0:
        return at, at, at, at, at, at, origin + at
    zero = at * 0
    weight, grad, s0, s1, s2, low, index = zero, zero, zero, zero, zero, zero, origin + zero
    own = layout + tensor * (DIMS * 8)
    left = at
    for inner in tl.static_range(DIMS):
        dim = own + (DIMS - 1 - inner) * 8
        size = tl.load(dim)
        i = left % size
        left = left // size
        weight += i * tl.load(dim + 1)
        grad += i * tl.load(dim + 2)
        s0 += i * tl.load(dim + 3)
        s1 += i * tl.load(dim + 4)
        s2 += i * tl.load(dim + 5)
        low += i * tl.load(dim + 6)
        index += i * tl.load(dim + 7)
    return weight, grad, s0, s1, s2, low, index


@triton.jit
def address_at(field, ALIGNED: tl.constexpr):
    """Return an address; ALIGNED: known to be a multiple of 16, so that elements are read and written together."""
    address = tl.load(field)
    if ALIGNED:
        address = tl.multiple_of(address.to(tl.pointer_type(tl.uint8)), 16)
    return address


@triton.jit
def read_weight(own, WEIGHT: tl.constexpr, LOW: tl.constexpr, ALIGNED: tl.constexpr, at, at_low, mask):
    """Return weights, with their bits below."""
    address = address_at(own + WEIGHT_FIELD, ALIGNED)
    if LOW == 0:
        x = load(address, WEIGHT, at, mask)
    else:
        hi = tl.load(address.to(tl.pointer_type(tl.uint16)) + at, mask=mask, other=0)
        x = joined(hi, load_low(address_at(own + LOW_FIELD, ALIGNED), LOW, at_low, mask), WEIGHT, LOW)
    return x


@triton.jit
def read_slot(own, PLACE: tl.constexpr, KIND: tl.constexpr, at, row, column, mask, otherwise):
    """Return a slot's values; ``otherwise`` where there is no such slot."""
    if KIND == -1:
        return otherwise
    codes, scales, length = tl.load(own + SLOT_FIELD + PLACE), tl.load(own + SCALE_FIELD + PLACE), tl.load(own)
    if KIND == 4:
        x = read_int8(codes, scales, True, row, column, length, mask)
    elif KIND == 5:
        x = read_int8(codes, scales, False, row, column, length, mask)
    elif KIND == 6:
        x = read_int4(codes, scales, True, row, column, length, mask)
    elif KIND == 7:
        x = read_int4(codes, scales, False, row, column, length, mask)
    else:
        x = load(codes, KIND, at, mask)
    return x


@triton.jit
def seen(g, x, numbers):
    """Return the gradient as the rule sees it: factor g + l2 x."""
    l2 = tl.load(numbers + 1)
    g = tl.load(numbers + 2) * g
    return tl.where(l2 != 0.0, g + l2 * x, g)
