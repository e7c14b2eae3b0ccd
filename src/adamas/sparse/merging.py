"""Puts the rows of a sparse gradient in order and adds up the entries of those that have several.

They are added in the type of the computation, in the order in which they are in the gradient, to zero; a single entry
stays where it is. The compiled library (``csrc/touch.cpp``) and the reference below give the same bits.
"""

from __future__ import annotations

from typing import Any

import torch

from adamas.engines import library
from adamas.engines.launch import as_real
from adamas.sparse.gradients import Touched, check_entries, check_range, refuse_index, rows_of

# So many rows, and entries, the library has no numbers for.
HIGH, LONG = 1 << 31, 1 << 30


def entries_of(name: str, p: torch.Tensor, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the number of the row of every entry of a gradient, and the entries; both contiguous, the latter real.

    Args:
        name: what errors call the parameter.
        p: the parameter.
        grad: a sparse COO gradient of its shape.

    Raises:
        RuntimeError: if indices or values are of another kind.
    """
    index, entries = check_entries(name, p, grad)
    index = index if len(index) == 1 else rows_of(index, p)
    return index.reshape(-1).contiguous(), as_real(entries).contiguous()


def gather(
    name: str,
    index: torch.Tensor,
    values: torch.Tensor,
    height: int,
    compute: torch.dtype,
    room: torch.Tensor | None = None,
) -> Touched:
    """Return the rows that entries touch.

    Args:
        name: what errors call the parameter.
        index: the row of every entry; int64, contiguous.
        values: the entries, a row of numbers each; real, contiguous.
        height: how many rows there are.
        compute: the dtype that the entries of a row are added in.
        room: of what an earlier call returned and nobody needs any more; it is written over.

    Raises:
        RuntimeError: if an index is out of range, or there are more entries than can be numbered.

    Example:
        >>> found = gather("w", torch.tensor([5, 2, 5]), torch.tensor([[1.0], [2.0], [4.0]]), 6, torch.float32)
        >>> found.rows.tolist(), found.merged().tolist()
        ([2, 5], [[2.0], [5.0]])
    """
    count = index.numel()
    if count >= LONG:
        raise RuntimeError(
            f"the gradient of {name} has {count} entries, and at most {LONG - 1} can be added up: call "
            f"p.grad = p.grad.coalesce() before the step, or look up fewer rows at a time"
        )
    loaded = _sorter(index, height)
    if loaded is None:
        return merge(name, index.view(count), values, height, compute)
    distinct, room = _sorted(loaded, index, height, room)
    if distinct < 0:
        refuse_index(name, int(index.view(count)[-1 - distinct]), height)
    if distinct == count:
        return Touched(count, room, values, None)
    added = torch.empty(count - distinct, *values.shape[1:], dtype=compute)  # as many as there can be
    loaded.adamas_merge(
        count, room.data_ptr(), values.data_ptr(), library.DTYPES[values.dtype], library.DTYPES[compute],
        values.numel() // count, torch.get_num_threads(), added.data_ptr(),
    )  # fmt: skip
    return Touched(distinct, room, values, added)


def different(name: str, rows: torch.Tensor, height: int) -> torch.Tensor:
    """Return the different ones of some numbers of rows, increasing (int32 of the compiled library, else int64).

    Args:
        name: what errors call the parameter.
        rows: integers of any shape.
        height: how many rows there are.

    Raises:
        IndexError: if there is no such row.

    Example:
        >>> different("w", torch.tensor([[5, 2], [5, 3]]), 6).tolist()
        [2, 3, 5]
    """
    index = rows.detach().reshape(-1).long().contiguous()
    loaded = _sorter(index, height) if index.numel() < LONG else None
    if loaded is not None:
        distinct, room = _sorted(loaded, index, height)
        if distinct >= 0:
            return room[:distinct]
    else:
        found = torch.unique(index)
        if not len(found) or (int(found[0]) >= 0 and int(found[-1]) < height):
            return found
    raise IndexError(f"{name} has rows 0 to {height - 1}, not {int(index.min())} to {int(index.max())}")


def _sorter(index: torch.Tensor, height: int) -> Any:
    """Return the library if it can sort these numbers of rows, else None."""
    return library.load() if index.is_cpu and height < HIGH else None


def _sorted(
    loaded: Any, index: torch.Tensor, height: int, room: torch.Tensor | None = None
) -> tuple[int, torch.Tensor]:
    """Return how many different rows there are, or -1 - the place of what is none; and what `adamas_touch` writes."""
    count = index.numel()
    if room is None or room.numel() < 8 * count + 2:
        room = torch.empty(8 * count + 2, dtype=torch.int32)
    return loaded.adamas_touch(count, index.data_ptr(), height, torch.get_num_threads(), room.data_ptr()), room


def merge(name: str, rows: torch.Tensor, values: torch.Tensor, height: int, compute: torch.dtype) -> Touched:
    """Return the rows that entries touch, by torch; as `gather`."""
    check_range(name, rows, height)
    count = len(rows)
    ordered, order = torch.sort(rows, stable=True)
    distinct, place, entries = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    room = torch.empty(2 * count, dtype=torch.int64, device=rows.device)
    room[: len(distinct)] = distinct
    source = room[count : count + len(distinct)]
    source.copy_(order[entries.cumsum(0) - entries])
    several = entries > 1
    sums = int(several.sum())
    if not sums:
        return Touched(count, room, values, None)
    source[several] = count + torch.arange(sums, device=rows.device)
    mine = several[place]
    added = torch.zeros(sums, *values.shape[1:], dtype=compute, device=values.device)
    added.index_add_(0, source[place[mine]] - count, values[order[mine]].to(compute))
    return Touched(len(distinct), room, values, added)
