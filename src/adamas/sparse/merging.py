"""Puts the rows of a sparse gradient in order and adds up those that are there more than once.

Duplicates are added in the type of the computation, in the order in which they are in the gradient, to zero: the
compiled library (``csrc/touch.cpp``) and the reference below give the same bits.
"""

from __future__ import annotations

from typing import Any

import torch

from adamas.engines import library
from adamas.engines.launch import as_real
from adamas.sparse.gradients import Touched, check_entries, check_range, refuse_index, rows_of

_SHORT = 1 << 31
_NO_MEMORY = -(1 << 63)


def touch(name: str, p: torch.Tensor, grad: torch.Tensor, height: int, compute: torch.dtype) -> Touched:
    """Return the rows that a gradient touches.

    Args:
        name: what errors call the parameter.
        p: the parameter.
        grad: a sparse COO gradient of its shape.
        height: how many rows there are.
        compute: the dtype that duplicates are added in.

    Raises:
        RuntimeError: if an index is out of range, or indices or values are of another kind.
        MemoryError: if entries in disorder cannot be sorted.
    """
    index, entries = check_entries(name, p, grad)
    dims, count = index.shape
    index = (index if dims == 1 else rows_of(index, p)).contiguous()
    values = as_real(entries).contiguous()
    loaded = _sorter(index, height) if values.dtype in library.DTYPES else None
    if loaded is None:
        return merge(name, index.view(count), values, height, compute)
    distinct, rows, order, first = _sorted(loaded, name, index, height)
    if distinct < 0:
        refuse_index(name, int(index.view(count)[-1 - distinct]), height)
    if distinct == count:
        return Touched(rows, values, order)
    added = torch.empty(distinct, *values.shape[1:], dtype=compute)
    width = added.numel() // distinct
    loaded.adamas_merge(
        distinct, first.data_ptr(), order.data_ptr(), values.data_ptr(), library.DTYPES[values.dtype],
        library.DTYPES[compute], width, torch.get_num_threads(), added.data_ptr(),
    )  # fmt: skip
    return Touched(rows[:distinct], added, None)


def different(name: str, rows: torch.Tensor, height: int) -> torch.Tensor:
    """Return the different ones of some numbers of rows, increasing.

    Args:
        name: what errors call the parameter.
        rows: integers of any shape.
        height: how many rows there are.

    Raises:
        IndexError: if there is no such row.

    Example:
        >>> different("w", torch.tensor([[5, 2], [5, 3]]), 6)
        tensor([2, 3, 5])
    """
    index = rows.detach().reshape(-1).long().contiguous()
    loaded = _sorter(index, height)
    if loaded is not None:
        count, found, _, _ = _sorted(loaded, name, index, height)
        if count >= 0:
            return found[:count]
    else:
        found = torch.unique(index)
        if not len(found) or (int(found[0]) >= 0 and int(found[-1]) < height):
            return found
    raise IndexError(f"{name} has rows 0 to {height - 1}, not {int(index.min())} to {int(index.max())}")


def _sorter(index: torch.Tensor, height: int) -> Any:
    """Return the library if it can sort these numbers of rows, else None."""
    return library.load() if index.is_cpu and max(height, index.numel()) < _SHORT else None


def _sorted(
    loaded: Any, name: str, index: torch.Tensor, height: int
) -> tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return how many different rows there are, or -1 - the place of what is none; and what `adamas_touch` writes."""
    count = index.numel()
    rows, order, first = (torch.empty(n, dtype=torch.int64) for n in (count, count, count + 1))
    distinct = loaded.adamas_touch(count, index.data_ptr(), height, rows.data_ptr(), order.data_ptr(), first.data_ptr())
    if distinct == _NO_MEMORY:
        raise MemoryError(f"{name} is to be stepped or read at {count} rows, and there is no memory to sort them in")
    return distinct, rows, order, first


def merge(name: str, rows: torch.Tensor, values: torch.Tensor, height: int, compute: torch.dtype) -> Touched:
    """Return the rows that a gradient touches, by torch.

    Example:
        >>> merged = merge("w", torch.tensor([5, 2, 5]), torch.tensor([[1.0], [2.0], [4.0]]), 6, torch.float32)
        >>> merged.rows.tolist(), merged.merged().tolist()
        ([2, 5], [[2.0], [5.0]])
    """
    check_range(name, rows, height)
    ordered, order = torch.sort(rows, stable=True)
    distinct, place = torch.unique_consecutive(ordered, return_inverse=True)
    if len(distinct) == len(rows):
        return Touched(ordered, values, order)
    added = torch.zeros(len(distinct), *values.shape[1:], dtype=compute, device=values.device)
    return Touched(distinct, added.index_add_(0, place, values[order].to(compute)), None)
