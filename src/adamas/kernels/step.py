"""The step: one launch for all tensors, a tile of units of 128 elements for every program."""

import triton
import triton.language as tl

from adamas.kernels.blocks import row_number
from adamas.kernels.int4 import read_int4_units, write_int4
from adamas.kernels.int8 import read_int8_units, write_int8
from adamas.kernels.numbers import load, rounded, store
from adamas.kernels.operands import (
    AROUND,
    FIELDS,
    FIRST_PROGRAM,
    LOW_FIELD,
    ORIGIN_FIELD,
    SCALE_FIELD,
    SLOT_FIELD,
    STREAM_FIELD,
    WEIGHT_FIELD,
    address_at,
    read_weight,
    seen,
    whereabouts,
)
from adamas.kernels.rules_generated import update
from adamas.kernels.split import parted, store_low


@triton.jit
def step_kernel(
    table,
    owner,
    layout,
    gradients,
    steps,
    places,
    numbers,
    width,
    rows,
    count,
    go,
    RULE: tl.constexpr,
    WEIGHT: tl.constexpr,
    GRAD: tl.constexpr,
    SLOT0: tl.constexpr,
    SLOT1: tl.constexpr,
    SLOT2: tl.constexpr,
    LOW: tl.constexpr,
    RANDOM: tl.constexpr,
    DIMS: tl.constexpr,
    ROWS: tl.constexpr,
    FLAT: tl.constexpr,
    ALIGNED: tl.constexpr,
    ASKS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """Step some units of one tensor.

    Args:
        table: what does not change from step to step (`adamas.kernels.operands`).
        owner: number of the tensor that each program steps (int32).
        layout: where elements are, if DIMS is not 0.
        gradients: address of each tensor's gradient.
        steps: the step each tensor is at (float64).
        places: which row of numbers each tensor takes (int32), or each row with ROWS.
        numbers: rows of numbers (float32).
        width: how many numbers a row has.
        rows: with ROWS, the rows that are stepped (int64), of which alone there are gradients.
        count: how many these are.
        go: with ASKS, whether the step is taken: 1 or 0 (int64).
        RULE: number of the rule.
        WEIGHT: kind of weights; of gradients, slots and bits below likewise.
        GRAD: of gradients.
        SLOT0: kind of the first slot; -1: none.
        SLOT1: of the second.
        SLOT2: of the third.
        LOW: bytes of the bits below a weight; 0: none.
        RANDOM: whether 16 bits are rounded at random: 0 no, 1 weights and slots, 2 slots.
        DIMS: dimensions in ``layout``.
        ROWS: whether only some rows of one tensor are stepped.
        FLAT: whether all elements of a tensor are one row, the index of the first is a multiple of 32, and DIMS is 0.
        ALIGNED: whether all addresses, of gradients, too, and lengths of rows are multiples of 16, and DIMS is 0.
        ASKS: whether the device decides if the step is taken.
        UNITS: how many units a program steps.
    """
    program = tl.program_id(0)
    tensor = tl.load(owner + (0 if ROWS else program)).to(tl.int64)
    own = table + tensor * FIELDS
    length = tl.load(own)
    per_row = (length + 127) // 128
    total = (count if ROWS else tl.load(own + 1)) * per_row
    if ASKS:
        total = total * tl.load(go)  # a step that is not taken has no elements
    first = (program - tl.load(own + FIRST_PROGRAM)) * UNITS
    unit = first + tl.arange(0, UNITS)
    there = unit < total
    if FLAT:
        source = tl.zeros((UNITS,), tl.int64)
        row = source
        start = unit * 128
        block = unit
    else:
        source = unit // per_row
        row = row_number(source, there, rows, ROWS)
        start = (unit % per_row) * 128
        block = row * per_row + unit % per_row
    lane = tl.arange(0, 128)
    left = tl.where(there, length - start, 0)
    left = tl.where(left < 128, left, 128).to(tl.int32)
    if ALIGNED:
        left = tl.multiple_of(left, 16)
    mask = lane[None, :] < left[:, None]
    column = start[:, None] + lane[None, :]
    pitch = (length >> 4) * 16 if ALIGNED else length  # the same; what it is a multiple of is seen by the compiler
    at = column if FLAT else (row * pitch)[:, None] + column
    at_x, at_g, at0, at1, at2, at_low, index = whereabouts(table, layout, tensor, at, DIMS)
    if ROWS:
        at_g = (source * pitch)[:, None] + column
        own_numbers = numbers + (tl.load(places + source, mask=there, other=0) * width)[:, None]
    else:
        own_numbers = numbers + tl.load(places + tensor) * width

    x = read_weight(own, WEIGHT, LOW, ALIGNED, at_x, at_low, mask)
    g = seen(load(address_at(gradients + tensor, ALIGNED), GRAD, at_g, mask), x, own_numbers)
    s0 = _read_units(own, 0, SLOT0, ALIGNED, at, at0, row, start, block, mask, there, x)
    s1 = _read_units(own, 1, SLOT1, ALIGNED, at, at1, row, start, block, mask, there, x)
    s2 = _read_units(own, 2, SLOT2, ALIGNED, at, at2, row, start, block, mask, there, x)
    y, s0, s1, s2 = update(RULE, tl.load(own_numbers) * x, g, own_numbers + AROUND, s0, s1, s2)
    y = tl.where(y == x, x, y)  # a step of nothing keeps every bit, of -0 too

    step = tl.load(steps + tensor).to(tl.int64)
    if FLAT:
        origin = tl.load(own + ORIGIN_FIELD)
        strip = ((origin >> 5) + unit * 4)[:, None] + (lane >> 5)[None, :]
        within = (lane & 31).to(tl.uint32)[None, :]
    else:
        strip, within = index >> 5, (index & 31).to(tl.uint32)
    _write_weight(own, WEIGHT, LOW, RANDOM, ALIGNED, y, at_x, at_low, strip, within, step, mask)
    _write_int4(own, 0, SLOT0, s0, first, total, per_row, length, mask, rows, ROWS)
    _write_int4(own, 1, SLOT1, s1, first, total, per_row, length, mask, rows, ROWS)
    _write_int4(own, 2, SLOT2, s2, first, total, per_row, length, mask, rows, ROWS)
    _write_slot(own, 0, SLOT0, RANDOM, ALIGNED, s0, at, at0, strip, within, block, step, mask, there)
    _write_slot(own, 1, SLOT1, RANDOM, ALIGNED, s1, at, at1, strip, within, block, step, mask, there)
    _write_slot(own, 2, SLOT2, RANDOM, ALIGNED, s2, at, at2, strip, within, block, step, mask, there)


@triton.jit
def _read_units(
    own,
    PLACE: tl.constexpr,
    KIND: tl.constexpr,
    ALIGNED: tl.constexpr,
    at,
    at_slot,
    row,
    start,
    block,
    mask,
    there,
    otherwise,
):
    if KIND == -1:
        return otherwise
    codes, scales = address_at(own + SLOT_FIELD + PLACE, ALIGNED), tl.load(own + SCALE_FIELD + PLACE)
    if KIND < 4:
        x = load(codes, KIND, at_slot, mask)
    elif KIND < 6:
        x = read_int8_units(codes, scales, KIND == 4, at, block, mask, there)
    else:
        x = read_int4_units(codes, scales, KIND == 6, row, start, tl.load(own), mask, there)
    return x


@triton.jit
def _write_weight(
    own,
    WEIGHT: tl.constexpr,
    LOW: tl.constexpr,
    RANDOM: tl.constexpr,
    ALIGNED: tl.constexpr,
    y,
    at,
    at_low,
    strip,
    within,
    step,
    mask,
):
    address = address_at(own + WEIGHT_FIELD, ALIGNED)
    if LOW == 0:
        stored = rounded(y, WEIGHT, RANDOM == 1, tl.load(own + STREAM_FIELD), step, 0, strip, within)
        store(address, WEIGHT, at, stored, mask)
    else:
        hi, low = parted(y, WEIGHT, LOW)
        store(address, WEIGHT, at, hi, mask)
        store_low(address_at(own + LOW_FIELD, ALIGNED), LOW, at_low, low, mask)


@triton.jit
def _write_int4(
    own, PLACE: tl.constexpr, KIND: tl.constexpr, values, first, total, per_row, length, mask, rows, ROWS: tl.constexpr
):
    if KIND >= 6:
        codes, scales = tl.load(own + SLOT_FIELD + PLACE), tl.load(own + SCALE_FIELD + PLACE)
        write_int4(codes, scales, KIND == 6, values, first, total, per_row, length, mask, rows, ROWS)


@triton.jit
def _write_slot(
    own,
    PLACE: tl.constexpr,
    KIND: tl.constexpr,
    RANDOM: tl.constexpr,
    ALIGNED: tl.constexpr,
    values,
    at,
    at_slot,
    strip,
    within,
    block,
    step,
    mask,
    there,
):
    if KIND >= 0 and KIND < 6:
        codes, scales = address_at(own + SLOT_FIELD + PLACE, ALIGNED), tl.load(own + SCALE_FIELD + PLACE)
        stream = tl.load(own + STREAM_FIELD)
        if KIND >= 4:
            write_int8(codes, scales, KIND == 4, values, at, block, mask, there, stream, step, 2 + PLACE)
        else:
            stored = rounded(values, KIND, RANDOM != 0, stream, step, 2 + PLACE, strip, within)
            store(codes, KIND, at_slot, stored, mask)
