"""Sums over tensors in the order of `adamas.engines.norms`: blocks of 4096 elements, in each 16 sums of every 16th.

A program takes some blocks, a tile of (blocks, 16), and writes a number a block. The host adds up the blocks.
"""

import triton
import triton.language as tl

from adamas.kernels.blocks import lanes_added
from adamas.kernels.numbers import float_of, from_float16, load, rounded
from adamas.kernels.operands import (
    AROUND,
    FIELDS,
    FIRST_BLOCK,
    FIRST_SUM,
    read_slot,
    read_weight,
    seen,
    whereabouts,
)
from adamas.kernels.rules_generated import update
from adamas.kernels.split import joined, parted
from adamas.kernels.vocabulary import divide

_BLOCK, _LANES = tl.constexpr(4096), tl.constexpr(16)


@triton.jit
def _rounds(count, block):
    """Return how many times 16 elements there are in the largest of these blocks."""
    left = tl.max(count - block * _BLOCK, axis=0)
    return (tl.where(left < _BLOCK, left, _BLOCK) + (_LANES - 1)) // _LANES


@triton.jit
def squares_kernel(
    owner, first_program, first_block, counts, addresses, sums, KIND: tl.constexpr, BLOCKS: tl.constexpr
):
    """Write the sum of squares of each block, in float64.

    Args:
        owner: number of the tensor that each program sums (int32).
        first_program: of each tensor.
        first_block: of each tensor, in ``sums``.
        counts: elements of each tensor.
        addresses: of the tensors.
        sums: a float64 for every block.
        KIND: of the elements.
        BLOCKS: how many blocks a program sums.
    """
    program = tl.program_id(0)
    tensor = tl.load(owner + program)
    count, address = tl.load(counts + tensor), tl.load(addresses + tensor)
    block = (program - tl.load(first_program + tensor)) * BLOCKS + tl.arange(0, BLOCKS)
    start = (block * _BLOCK)[:, None] + tl.arange(0, _LANES)[None, :]
    end = tl.where(count - block * _BLOCK < _BLOCK, count, (block + 1) * _BLOCK)[:, None]
    total = tl.zeros((BLOCKS, _LANES), tl.float64)
    for k in range(_rounds(count, block)):
        at = start + k * _LANES
        x = load(address, KIND, at, at < end).to(tl.float64)
        total += x * x
    own = sums + tl.load(first_block + tensor) + block
    tl.store(own, tl.reshape(lanes_added(total), (BLOCKS,)), mask=block * _BLOCK < count)


@triton.jit
def _blocks_of(table, owner, BLOCKS: tl.constexpr):
    """Return which tensor this program sums, its row of the table, length of its rows, number of elements; its blocks.

    Of these the numbers, the first element of every lane, and where each block ends.
    """
    program = tl.program_id(0)
    tensor = tl.load(owner + program).to(tl.int64)
    own = table + tensor * FIELDS
    length = tl.load(own)
    count = length * tl.load(own + 1)
    block = (program - tl.load(own + FIRST_SUM)) * BLOCKS + tl.arange(0, BLOCKS)
    start = (block * _BLOCK)[:, None] + tl.arange(0, _LANES)[None, :]
    end = tl.where(count - block * _BLOCK < _BLOCK, count, (block + 1) * _BLOCK)[:, None]
    return tensor, own, length, count, block, start, end


@triton.jit
def ratios_kernel(
    table,
    owner,
    layout,
    gradients,
    places,
    numbers,
    width,
    moments,
    sums,
    WEIGHT: tl.constexpr,
    SLOT: tl.constexpr,
    PLACE: tl.constexpr,
    LOW: tl.constexpr,
    DIMS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write the sum of g^2 / max(v, floor) of each block, in float64.

    Args:
        table: as in `adamas.kernels.step`, and so are owner, layout, gradients, places, numbers, width and the kinds.
        owner: number of the tensor that each program sums.
        layout: where elements are.
        gradients: address of each tensor's gradient.
        places: which row of numbers each tensor takes.
        numbers: rows of numbers.
        width: how many numbers a row has.
        moments: for each row of numbers decay, take, unbias and floor (float32).
        sums: a float64 for every block.
        WEIGHT: kind of weights.
        SLOT: kind of the slot that holds v.
        PLACE: which slot that is.
        LOW: bytes of the bits below a weight.
        DIMS: dimensions in ``layout``.
        BLOCKS: how many blocks a program sums.
    """
    tensor, own, length, count, block, start, end = _blocks_of(table, owner, BLOCKS)
    place = tl.load(places + tensor)
    own_numbers, moment = numbers + place * width, moments + place * 4
    decay, take, unbias, floor = tl.load(moment), tl.load(moment + 1), tl.load(moment + 2), tl.load(moment + 3)
    total = tl.zeros((BLOCKS, _LANES), tl.float64)
    for k in range(_rounds(count, block)):
        at = start + k * _LANES
        mask = at < end
        at_x, at_g, at0, at1, at2, at_low, index = whereabouts(table, layout, tensor, at, DIMS)
        at_slot = at0 if PLACE == 0 else (at1 if PLACE == 1 else at2)
        x = read_weight(own, WEIGHT, LOW, False, at_x, at_low, mask)
        g = seen(load(tl.load(gradients + tensor), WEIGHT, at_g, mask), x, own_numbers)
        v = read_slot(own, PLACE, SLOT, at_slot, at // length, at % length, mask, x)
        square = g * g
        mean = (decay * v + take * square) * unbias
        ratio = divide(square, tl.where(mean < floor, floor, mean))
        total += tl.where(mask & (square != 0.0), ratio, 0.0).to(tl.float64)
    own_sums = sums + tl.load(own + FIRST_BLOCK) + block
    tl.store(own_sums, tl.reshape(lanes_added(total), (BLOCKS,)), mask=block * _BLOCK < count)


@triton.jit
def _written(y, x, WEIGHT: tl.constexpr, LOW: tl.constexpr, RANDOM: tl.constexpr):
    """Return new weights as they would be read again; those of stochastic rounding as computed."""
    if LOW != 0:
        hi, low = parted(y, WEIGHT, LOW)
        if LOW == 1:
            low = low.to(tl.int8)
        else:
            low = low.to(tl.int16)
        y = joined(hi, low, WEIGHT, LOW)
    else:
        if WEIGHT != 0 and RANDOM == 0:
            bits = rounded(y, WEIGHT, False, 0, 0, 0, 0, 0)
            if WEIGHT == 3:
                y = from_float16(bits)
            else:
                y = float_of(bits.to(tl.uint32) << 16)
    return y


@triton.jit
def _put(sums, number: tl.constexpr, blocks, own, lanes, mask):
    tl.store(sums + number * blocks + own, tl.reshape(lanes_added(lanes), (lanes.shape[0],)), mask=mask)


@triton.jit
def statistics_kernel(
    table,
    owner,
    layout,
    gradients,
    places,
    numbers,
    width,
    limits,
    sums,
    blocks,
    RULE: tl.constexpr,
    WEIGHT: tl.constexpr,
    SLOT0: tl.constexpr,
    SLOT1: tl.constexpr,
    SLOT2: tl.constexpr,
    LOW: tl.constexpr,
    RANDOM: tl.constexpr,
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    DIMS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Write the 13 numbers of `adamas.engines.statistics.Sums` of each block, in float32, number by number.

    Args:
        table: as in `adamas.kernels.step`, and so are owner, layout, gradients, places, numbers, width and the kinds.
        owner: number of the tensor that each program sums.
        layout: where elements are.
        gradients: address of each tensor's gradient.
        places: which row of numbers each tensor takes.
        numbers: rows of numbers.
        width: how many numbers a row has.
        limits: for each row of numbers those of `adamas.engines.launch.Look` (float32).
        sums: 13 rows of a float32 for every block.
        blocks: how many blocks there are in all.
        RULE: number of the rule.
        WEIGHT: kind of weights.
        SLOT0: kind of the first slot.
        SLOT1: of the second.
        SLOT2: of the third.
        LOW: bytes of the bits below a weight.
        RANDOM: as in `adamas.kernels.step`.
        FIRST: which slot holds m; -1: none.
        SECOND: which slot holds v; -1: none.
        DIMS: dimensions in ``layout``.
        BLOCKS: how many blocks a program sums.
    """
    tensor, own, length, count, block, start, end = _blocks_of(table, owner, BLOCKS)
    place = tl.load(places + tensor)
    own_numbers, limit = numbers + place * width, limits + place * 4
    most, unbias, floor, under = tl.load(limit), tl.load(limit + 1), tl.load(limit + 2), tl.load(limit + 3)
    zero = tl.zeros((BLOCKS, _LANES), tl.float32)
    n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12 = (
        zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero
    )  # fmt: skip
    for k in range(_rounds(count, block)):
        at = start + k * _LANES
        mask = at < end
        at_x, at_g, at0, at1, at2, at_low, index = whereabouts(table, layout, tensor, at, DIMS)
        row, column = at // length, at % length
        x = read_weight(own, WEIGHT, LOW, False, at_x, at_low, mask)
        raw = load(tl.load(gradients + tensor), WEIGHT, at_g, mask)
        g = seen(raw, x, own_numbers)
        s0 = read_slot(own, 0, SLOT0, at0, row, column, mask, x)
        s1 = read_slot(own, 1, SLOT1, at1, row, column, mask, x)
        s2 = read_slot(own, 2, SLOT2, at2, row, column, mask, x)
        y, _, _, _ = update(RULE, tl.load(own_numbers) * x, g, own_numbers + AROUND, s0, s1, s2)
        u, v0, v1, v2 = update(RULE, zero, g, own_numbers + AROUND, s0, s1, s2)
        u = tl.where(mask, u, 0.0)
        n0 += tl.where(mask, g * g, 0.0)
        n1 += u * u
        n2 += x * x
        if FIRST >= 0:
            n3 += tl.where(mask, g * (s0 if FIRST == 0 else (s1 if FIRST == 1 else s2)), 0.0)
        if SECOND >= 0:
            v = tl.where(mask, v0 if SECOND == 0 else (v1 if SECOND == 1 else v2), 0.0)
            mean = v * unbias
            n4 += tl.where(mask, divide(g * g, tl.where(mean < floor, floor, mean)), 0.0)
            n5 += v
            n8 += tl.where(v > 0.0, 1.0, 0.0)
            n9 += tl.where((v > 0.0) & (mean < under), 1.0, 0.0)
        moved = u != 0.0
        n6 += tl.where(moved, 1.0, 0.0)
        n7 += tl.where(tl.abs(u) > most, 1.0, 0.0)
        n10 += tl.where(moved & (_written(y, x, WEIGHT, LOW, RANDOM) == x), 1.0, 0.0)
        n11 += tl.where(tl.abs(raw) < float("inf"), 0.0, 1.0)
        size = tl.where(mask, tl.abs(g), 0.0)
        n12 = tl.where(size > n12, size, n12)
    mine = tl.load(own + FIRST_BLOCK) + block
    real = block * _BLOCK < count
    _put(sums, 0, blocks, mine, n0, real)
    _put(sums, 1, blocks, mine, n1, real)
    _put(sums, 2, blocks, mine, n2, real)
    _put(sums, 3, blocks, mine, n3, real)
    _put(sums, 4, blocks, mine, n4, real)
    _put(sums, 5, blocks, mine, n5, real)
    _put(sums, 6, blocks, mine, n6, real)
    _put(sums, 7, blocks, mine, n7, real)
    _put(sums, 8, blocks, mine, n8, real)
    _put(sums, 9, blocks, mine, n9, real)
    _put(sums, 10, blocks, mine, n10, real)
    _put(sums, 11, blocks, mine, n11, real)
    tl.store(sums + 12 * blocks + mine, tl.max(n12, axis=1), mask=real)
