"""What a Triton launch knows of its tensors: a table on their device, made once, and a small one for every step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch

from adamas.engines.launch import Item, as_real
from adamas.engines.layout import dense_strides, is_blockwise, merged_dims, operands_of
from adamas.engines.norms import first_blocks
from adamas.engines.objects import addresses
from adamas.engines.rows import Rows
from adamas.formats.blocks import rows_of

UNIT, BLOCKS = 128, 8  # elements of a unit; blocks that a program sums
_FIELDS, _SLOTS = 16, 3  # as in kernels/operands.py
_LAYOUT = 8


class Part(NamedTuple):
    """Tensors of a launch whose elements are found in the same way.

    Attributes:
        dims: how many dimensions it takes to find them; 0: they follow each other.
        aligned: whether all but gradients begins, and all rows end, at a multiple of 16.
        flat: whether each tensor is one row, too, whose first element has an index that is a multiple of 32.
        owner: which tensor each program of a step has.
        sum_owner: which tensor each program of a sum has.
    """

    dims: int
    aligned: bool
    flat: bool
    owner: torch.Tensor
    sum_owner: torch.Tensor


class Size(NamedTuple):
    """How large a program of a step is: 8 elements for every thread.

    Attributes:
        units: how many it steps.
        warps: of threads.
    """

    units: int
    warps: int


def size_of(item: Item) -> Size:
    """Return the size of programs that step such items.

    Threads that look for a block's largest wait for each other: on an H100 int8 takes a twelfth less, and int4 a
    fourteenth, if only those of one warp do.
    """
    return Size(2, 1) if is_blockwise(item) else Size(8, 4)


class Fresh(NamedTuple):
    """What is new in a step, on the device.

    Attributes:
        gradients: addresses.
        steps: the step that each tensor is at.
        places: which row of numbers each tensor takes.
        numbers: rows of numbers.
    """

    gradients: torch.Tensor
    steps: torch.Tensor
    places: torch.Tensor
    numbers: torch.Tensor


class Table:
    """Items of a launch as the kernels see them (`adamas.kernels.operands`).

    Args:
        items: what is stepped together.
        grads: their gradients now; later ones must have the same strides.

    Attributes:
        parts: the items, by how their elements are found.
        fields: the table.
        layout: where elements are.
        first_block: the number of blocks of sums before each item, and of all.
        size: how large programs of a step are.
    """

    def __init__(self, items: Sequence[Item], grads: Sequence[torch.Tensor]) -> None:
        self._device, self.size = items[0].param.device, size_of(items[0])
        self.first_block = first_blocks([item.param.numel() for item in items])
        dims = [_dims(item, as_real(grad)) for item, grad in zip(items, grads, strict=True)]
        most = max(map(len, dims))
        fields = [fields_of(item) for item in items]
        ways = [_way(own, each) for own, each in zip(fields, dims, strict=True)]
        self.parts = [
            self._part(fields, [i for i, each in enumerate(ways) if each == way], most if way[0] else 0, *way[1:])
            for way in sorted(set(ways))
        ]
        self.parts = [part for part in self.parts if len(part.owner)]
        self.fields = torch.tensor(fields, dtype=torch.int64).to(self._device)
        layout = [[(1,) + (0,) * (_LAYOUT - 1)] * (most - len(each)) + each for each in dims]
        self.layout = torch.tensor(layout, dtype=torch.int64).to(self._device)

    def _part(self, fields: list[list[int]], members: list[int], dims: int, aligned: bool, flat: bool) -> Part:
        """Return the part of some items; what it takes to find their programs is put into their fields."""
        owner, sum_owner = array("i"), array("i")
        for member in members:
            own = fields[member]
            units = own[1] * -(-own[0] // UNIT)
            blocks = self.first_block[member + 1] - self.first_block[member]
            own[2], own[12], own[13] = len(owner), self.first_block[member], len(sum_owner)
            owner += array("i", [member]) * -(-units // self.size.units)
            sum_owner += array("i", [member]) * -(-blocks // BLOCKS)
        return Part(dims, aligned, flat, self._put(owner), self._put(sum_owner))

    def send(self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array) -> tuple[Fresh, bool]:
        """Bring what is new in a step to the device, in one copy that nothing waits for.

        Returns:
            It, and whether all gradients begin at a multiple of 16.
        """
        pointers = addresses(list(grads))
        gradients, steps_there, places, numbers = send(self._device, pointers, steps, row_of, array("f", rows.numbers))
        return Fresh(gradients, steps_there, places, numbers), are_aligned(pointers)

    def _put(self, values: array) -> torch.Tensor:
        return send(self._device, values)[0]


_DTYPES = {"q": torch.int64, "Q": torch.int64, "d": torch.float64, "i": torch.int32, "f": torch.float32}


def send(device: torch.device, *arrays: array) -> list[torch.Tensor]:
    """Return arrays as tensors on a device, copied together and without waiting for it.

    Example:
        >>> send(torch.device("cpu"), array("i", [1, 2, 3]), array("d", [0.5]))
        [tensor([1, 2, 3], dtype=torch.int32), tensor([0.5000], dtype=torch.float64)]
    """
    raw, places = bytearray(), []
    for each in arrays:
        places.append(len(raw))
        raw += each.tobytes()
        raw += bytes(-len(raw) % 16 or 16 * (not raw))  # kernels read faster where they know that addresses are even
    here = torch.frombuffer(raw, dtype=torch.uint8)
    # Pinned memory is given back to torch, which waits with its reuse until the copy is done.
    there = here if device.type == "cpu" else here.pin_memory().to(device, non_blocking=True)
    return [
        there[place : place + len(each) * each.itemsize].view(_DTYPES[each.typecode])
        for place, each in zip(places, arrays, strict=True)
    ]


def are_aligned(pointers: array) -> bool:
    """Say whether all are multiples of 16 bytes, which is what a GPU reads at once.

    Example:
        >>> are_aligned(array("Q", [64, 32, 0])), are_aligned(array("Q", [64, 8]))
        (True, False)
    """
    return not int.from_bytes(pointers.tobytes(), "little") & _lowest(len(pointers))  # in one look, not one by one


@lru_cache
def _lowest(count: int) -> int:
    """Return so many int64 whose lowest four bits are set, as one number."""
    return int.from_bytes(count * (b"\x0f" + bytes(7)), "little")


def is_flat(fields: list[int]) -> bool:
    """Say whether an item's elements are one row, and whole strips of random numbers."""
    return fields[1] <= 1 and not fields[14] % 32


def is_aligned(fields: list[int]) -> bool:
    """Say whether an item's operands, but for its gradient, begin at multiples of 16, and so do its rows."""
    return are_aligned(array("q", [*fields[3 : 5 + 2 * _SLOTS], fields[0]]))


def _way(fields: list[int], dims: list[tuple[int, ...]]) -> tuple[bool, bool, bool]:
    """Return whether it takes dimensions to find an item's elements, whether it is aligned, and flat, too."""
    aligned = not dims and is_aligned(fields)
    return bool(dims), aligned, aligned and is_flat(fields)


def fields_of(item: Item) -> list[int]:
    """Return an item's row of the table, without what its programs need."""
    rows, length = rows_of(item.param.shape) if is_blockwise(item) else (1, item.param.numel())
    if length % UNIT == 0:
        rows, length = 1, rows * length  # rows of whole units are like one
    fields = [0] * _FIELDS
    fields[0], fields[1] = max(1, length), rows if length else 0
    fields[3] = item.param.data_ptr()
    fields[4] = 0 if item.low is None else item.low.data_ptr()
    for place, slot in enumerate(item.slots):
        fields[5 + place] = slot.codes.data_ptr()
        fields[5 + _SLOTS + place] = 0 if slot.scale is None else slot.scale.data_ptr()
    fields[14] = item.origin[0] if item.origin else 0
    fields[11] = item.stream - (1 << 64) if item.stream >= 1 << 63 else item.stream
    return fields


def _dims(item: Item, grad: torch.Tensor) -> list[tuple[int, ...]]:
    """Return size and strides by dimension as the kernels have them; nothing if all operands simply follow each other.

    Strides are those of weight, gradient, three slots, bits below and the row-major index.
    """
    operands = operands_of(item, grad)
    index = item.origin[1] if item.origin and item.rounding.name != "nearest" else None
    if index is None and all(x.is_contiguous() for x in operands):
        return []
    dims = merged_dims(operands, is_blockwise(item), index)
    dense = dense_strides([dim[0] for dim in dims])
    columns = list(zip(*dims, strict=True))[1:]
    if item.rounding.name == "nearest":
        columns = columns[:-1]
    if all(list(column) == dense for column in columns):
        return []
    missing = (0,) * (_SLOTS - len(item.slots))
    below = () if item.low is not None else (0,)
    places = 3 + len(item.slots)
    return [(*dim[:places], *missing, *below, *dim[places:]) for dim in dims]
