"""Where elements are: describes tensors whose elements do not simply follow each other to the compiled engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adamas.engines.launch import Item
from adamas.engines.library import INDEX_FLAT, LOW, MAX_DIMS, Layout


def is_blockwise(item: Item) -> bool:
    """Say whether a slot of the item is in blocks: it is then walked row-major."""
    return any(slot.format.blockwise for slot in item.slots)


def operands_of(item: Item, grad: torch.Tensor) -> list[torch.Tensor]:
    """Return what has a layout: weight, gradient, slots, bits below the weight. Codes in blocks are row-major."""
    slots = [torch.empty(slot.shape, device="meta") if slot.format.blockwise else slot.codes for slot in item.slots]
    return [item.param, grad, *slots, *([] if item.low is None else [item.low])]


def describe(
    operands: Sequence[torch.Tensor], slots: int, row_major: bool, indexed: bool, index: Sequence[int] | None = None
) -> Layout | None:
    """Return the layout of a weight, its gradient, slots and bits below, or None if all are simply row-major.

    Args:
        operands: the weight first; all of the same shape.
        slots: how many slots are among them; if there is one operand more, it is the bits below the weight.
        row_major: whether elements are to be walked in row-major order, not in that of the weight's memory.
        indexed: whether the row-major index of elements matters (stochastic rounding).
        index: its strides, where they are those of a larger tensor.

    Raises:
        ValueError: if they need more than `MAX_DIMS` dimensions after merging.
    """
    plain = all(x.is_contiguous() for x in operands)
    if plain and (index is None or not indexed):
        return None
    dims = merged_dims(operands, row_major, index if indexed else None)
    if plain and len(dims) == 1 and dims[0][-1] == 1:
        return None
    sizes = [size for size, *_ in dims]
    if len(sizes) > MAX_DIMS:
        raise ValueError(f"{len(sizes)} dimensions that cannot be merged, at most {MAX_DIMS} are supported")
    dense = dense_strides(sizes)
    layout = Layout(dims=len(sizes))
    layout.size[: len(sizes)] = sizes
    for number in range(len(operands)):
        strides = [dim[1 + number] for dim in dims]
        place = number if number < 2 + slots else LOW
        layout.stride[place][: len(sizes)] = strides
        layout.flat |= int(strides == dense) << place
    places = [dim[-1] for dim in dims]
    layout.index_stride[: len(sizes)] = places
    if places == dense or not indexed:
        layout.flat |= INDEX_FLAT
    return layout


def merged_dims(
    operands: Sequence[torch.Tensor], row_major: bool = False, index: Sequence[int] | None = None
) -> list[tuple[int, ...]]:
    """Return (size, stride of each operand, stride of the row-major index) of as few dimensions as possible.

    The order is that of the weight's memory, so that a weight without gaps is walked straight through, or row-major.

    Example:
        >>> w = torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last)
        >>> merged_dims([w, w])
        [(2, 60, 60, 60), (20, 3, 3, 1), (3, 1, 1, 20)]
    """
    shape = operands[0].shape
    index = dense_strides(list(shape)) if index is None else index
    columns = [x.stride() for x in operands]
    dims = [(size, *(column[d] for column in columns), index[d]) for d, size in enumerate(shape) if size != 1] or [
        (1, *(1 for _ in columns), 1)
    ]
    if not row_major:
        dims.sort(key=lambda dim: -dim[1])  # stable: equal strides keep their order
    merged = [dims[0]]
    for inner in dims[1:]:
        outer = merged[-1]
        if all(a == b * inner[0] for a, b in zip(outer[1:], inner[1:], strict=True)):
            merged[-1] = (outer[0] * inner[0], *inner[1:])
        else:
            merged.append(inner)
    return merged


def dense_strides(sizes: list[int]) -> list[int]:
    """Return the row-major strides of these sizes.

    Example:
        >>> dense_strides([2, 3, 4])
        [12, 4, 1]
    """
    strides, below = [], 1
    for size in reversed(sizes):
        strides.append(below)
        below *= size
    return strides[::-1]
