"""Sends every process the rows of weights that the others have stepped, a bucket at a time, while the next is stepped.

A bucket is packed as bytes into one buffer, gathered from all processes, and put where it belongs when it is there. Two
are under way at most: the next one waits for the one before the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adamas.engines.launch import Item, as_real
from adamas.lost import together

_ALIGNED = 16  # bytes: a piece begins where any dtype may


class Gathering:
    """What comes after the steps of a plan's batches."""

    def __init__(self) -> None:
        self._made_for: Any = None
        self._buckets: dict[int, _Bucket] = {}
        self._under_way: list[tuple[_Bucket, Any]] = []

    def __reduce__(self) -> tuple[type[Gathering], tuple[()]]:
        """A copy begins afresh."""
        return Gathering, ()

    def begin(self, items: Sequence[Item]) -> None:
        """Prepare to gather what a plan steps; what was prepared for the same items is used again."""
        if self._made_for is not items:
            together_sent: dict[int, list[Item]] = {}
            for item in items:
                if item.cut is not None:
                    together_sent.setdefault(item.cut.bucket, []).append(item)
            self._buckets = {number: _Bucket(members) for number, members in together_sent.items()}
            self._made_for = items
        self._under_way.clear()  # what an error left behind
        self._left = {number: len(bucket.items) for number, bucket in self._buckets.items()}

    def stepped(self, items: Sequence[Item]) -> None:
        """Send every bucket of which these items were the last."""
        for item in items:
            if item.cut is None:
                continue
            number = item.cut.bucket
            self._left[number] -= 1
            if self._left[number] == 0:
                self._wait(most=1)
                bucket = self._buckets[number]
                with together("optimizer.step()"):
                    self._under_way.append((bucket, bucket.send()))

    def finish(self) -> None:
        """Wait until all weights are here."""
        self._wait(most=0)

    def _wait(self, most: int) -> None:
        while len(self._under_way) > most:
            bucket, work = self._under_way.pop(0)
            with together("optimizer.step()"):
                work.wait()
            bucket.unpack()


class _Bucket:
    """Weights that are sent together, and where every process's rows of them lie in the buffers."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        cut = items[0].cut
        assert cut is not None
        self._group, own, size = cut.mesh.get_group(), cut.mesh.get_local_rank(), cut.mesh.size()
        weights = [as_real(item.owner.detach()) for item in items]
        plans = [_places(weights, rank, size) for rank in range(size)]
        self._length = max(end for _, end in plans)
        self._pieces = [item.param for item in items]
        self._device = weights[0].device
        self._plans, self._own, self._size, self._weights = plans, own, size, weights

    def send(self) -> Any:
        """Pack this process's rows and begin to gather everybody's."""
        sent = torch.empty(self._length, dtype=torch.uint8, device=self._device)
        self._heard = torch.empty(self._length * self._size, dtype=torch.uint8, device=self._device)
        places, _ = self._plans[self._own]
        into = [_typed(sent, at, piece) for piece, (at, _, _) in zip(self._pieces, places, strict=True)]
        torch._foreach_copy_(into, self._pieces)
        self._sent = sent  # it must live until it was sent
        # The name has changed with torch 2.13.
        gather = getattr(torch.distributed, "all_gather_single", None) or torch.distributed.all_gather_into_tensor
        return gather(self._heard, sent, group=self._group, async_op=True)

    def unpack(self) -> None:
        """Put the rows of all other processes where they belong, and let go of the buffers."""
        into, found = [], []
        for rank, (places, _) in enumerate(self._plans):
            if rank == self._own:
                continue
            heard = self._heard[rank * self._length : (rank + 1) * self._length]
            for weight, (at, start, rows) in zip(self._weights, places, strict=True):
                if rows:
                    piece = weight.narrow(0, start, rows)
                    into.append(piece)
                    found.append(_typed(heard, at, piece))
        if into:
            torch._foreach_copy_(into, found)
        del self._heard, self._sent


def _places(weights: Sequence[torch.Tensor], rank: int, size: int) -> tuple[list[tuple[int, int, int]], int]:
    """Return for each weight where in the buffer a process's rows are, and which rows; and where the last ends."""
    places, end = [], 0
    for weight in weights:
        height = weight.shape[0]
        each = -(-height // size)
        start = min(rank * each, height)
        rows = min(each, height - start)
        places.append((end, start, rows))
        taken = rows * (weight[:1].numel()) * weight.element_size()
        end += -(-taken // _ALIGNED) * _ALIGNED
    return places, end


def _typed(buffer: torch.Tensor, at: int, like: torch.Tensor) -> torch.Tensor:
    """Return a piece of a buffer of bytes as a tensor of a shape and dtype."""
    return buffer[at : at + like.numel() * like.element_size()].view(like.dtype).view(like.shape)
