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
_KEPT = 1 << 16  # numbers that room is kept for, however few are needed


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


class Room:
    """Where the library writes which rows there are; the next time, it sees whether they are the same ones.

    They are when rows are stepped that were just read.

    Attributes:
        numbers: as `adamas_touch` leaves them (int32).
        address: where they are.
    """

    def __init__(self) -> None:
        self.numbers = torch.empty(0, dtype=torch.int32)
        self.address = self._size = self._entries = self._rows = 0

    def sort(self, loaded: Any, index: torch.Tensor, count: int, height: int) -> int:
        """Return how many different rows an index of so many entries has, or -1 - the place of what is none."""
        known = self._rows if self._entries == count else 0
        needed = 8 * count + 2
        if self._size < needed or (self._size > _KEPT and self._size > 4 * needed):
            self.numbers, self._size = torch.empty(needed, dtype=torch.int32), needed
            self.address = self.numbers.data_ptr()
        found = loaded.adamas_touch(count, index.data_ptr(), height, torch.get_num_threads(), known, self.address)
        self._entries, self._rows = count, found if found > 0 else 0
        return found


def gather(
    name: str,
    index: torch.Tensor,
    values: torch.Tensor,
    height: int,
    compute: torch.dtype,
    room: Room | None = None,
) -> Touched:
    """Return the rows that entries touch.

    Args:
        name: what errors call the parameter.
        index: the row of every entry; int64, contiguous.
        values: the entries, a row of numbers each; real, contiguous.
        height: how many rows there are.
        compute: the dtype that the entries of a row are added in.
        room: for the numbers; what an earlier call returned of it is written over.

    Raises:
        RuntimeError: if an index is out of range, or there are more entries than can be numbered.

    Example:
        >>> found = gather("w", torch.tensor([5, 2, 5]), torch.tensor([[1.0], [2.0], [4.0]]), 6, torch.float32)
        >>> found.rows.tolist(), found.merged().tolist()
        ([2, 5], [[2.0], [5.0]])
    """
    count, loaded = index.numel(), library.load()
    if loaded is None or height >= HIGH or not index.is_cpu:
        return merge(name, index.view(count), values, height, compute)
    if count >= LONG:
        raise RuntimeError(
            f"the gradient of {name} has {count} entries, and at most {LONG - 1} can be added up: call "
            f"p.grad = p.grad.coalesce() before the step, or look up fewer rows at a time"
        )
    room = room or Room()
    distinct, numbers = room.sort(loaded, index, count, height), room.numbers
    if distinct < 0:
        refuse_index(name, int(index.view(count)[-1 - distinct]), height)
    if distinct == count:
        return Touched(count, count, numbers, values, None)
    added = torch.empty(count - distinct, *values.shape[1:], dtype=compute)  # as many as there can be
    loaded.adamas_merge(
        count, numbers.data_ptr(), values.data_ptr(), library.DTYPES[values.dtype], library.DTYPES[compute],
        values.numel() // count, torch.get_num_threads(), added.data_ptr(),
    )  # fmt: skip
    return Touched(distinct, count, numbers, values, added)


def different(name: str, rows: torch.Tensor, height: int, room: Room | None = None) -> torch.Tensor:
    """Return the different ones of some numbers of rows, increasing (int32 of the compiled library, else int64).

    Args:
        name: what errors call the parameter.
        rows: integers of any shape.
        height: how many rows there are.
        room: for the numbers, which the next call writes over.

    Raises:
        IndexError: if there is no such row.

    Example:
        >>> different("w", torch.tensor([[5, 2], [5, 3]]), 6).tolist()
        [2, 3, 5]
    """
    index = rows.detach().reshape(-1).long().contiguous()
    count, loaded = index.numel(), library.load()
    if loaded is not None and index.is_cpu and height < HIGH and count < LONG:
        room = room or Room()
        distinct = room.sort(loaded, index, count, height)
        if distinct >= 0:
            return room.numbers[:distinct]
    else:
        found = torch.unique(index)
        if not len(found) or (int(found[0]) >= 0 and int(found[-1]) < height):
            return found
    raise IndexError(f"{name} has rows 0 to {height - 1}, not {int(index.min())} to {int(index.max())}")


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
        return Touched(count, count, room, values, None)
    source[several] = count + torch.arange(sums, device=rows.device)
    mine = several[place]
    added = torch.zeros(sums, *values.shape[1:], dtype=compute, device=values.device)
    added.index_add_(0, source[place[mine]] - count, values[order[mine]].to(compute))
    return Touched(len(distinct), count, room, values, added)
