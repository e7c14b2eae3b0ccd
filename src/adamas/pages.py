"""Asks for large pages: 2 MiB instead of 4 KiB, where the system gives them to who asks (Linux, ``madvise``).

The rows of a sparse gradient are at random places. Each is on a page of its own, whose address is in no TLB, and the
page table of 10 million rows is itself too large for the caches. Asked for before memory is first written, a large page
costs nothing: the system would have had to clear as many bytes of small ones. Asked for later, as for weights, it is
made of small ones: in time, by a thread of the system (2.4 GiB in half an hour), or at once where Linux has
``MADV_COLLAPSE`` (6.1). That takes 0.5 ms a page, or 3 in a virtual machine that has not used that memory before.

Not for codes: with large pages all arrays begin at the same place of the caches, and a dense step with bfloat16 weights
and int8 moments, which reads six, takes 12.0 ms instead of 10.5 (33.5 M elements, Zen 5); plain moments do not mind.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import time
from collections.abc import Callable
from pathlib import Path

import torch

LEAST = 2**25  # bytes: from here on glibc maps a block by itself, so that what was asked for ends with the tensor
MOST_SECONDS = 5.0  # that a process spends on making pages large, in all; the rest is left to the system's thread
_COLLAPSE = 25  # MADV_COLLAPSE of Linux's mman-common.h; Python has no name for it
_SYSTEM = Path("/sys/kernel/mm/transparent_hugepage")


def in_large_pages(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor, having asked for large pages for its memory; at best before anything of it is written.

    Example:
        >>> in_large_pages(torch.empty(3)).fill_(1.0)
        tensor([1., 1., 1.])
    """
    advise = _madvise() if _is_worth_it(x) else None
    if advise is not None:
        start = -(-x.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        advise(start, x.data_ptr() + x.nbytes - start, mmap.MADV_HUGEPAGE)  # refused: pages stay small
    return x


class Maker:
    """Makes large pages of memory that has been written, each piece of memory once.

    Nobody notices but by time: the system copies a page and puts the copy in its place, at the same address.

    Attributes:
        seconds: what is left to be spent on it.
    """

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self.seconds = seconds
        self._asked: set[tuple[int, int]] = set()

    def make(self, x: torch.Tensor) -> None:
        """Ask for large pages for a tensor's memory, and make them while there is time."""
        in_large_pages(x)
        advise, page = _madvise(), _large_page()
        if advise is None or not page or not _is_worth_it(x):
            return
        start, end = -(-x.data_ptr() // page) * page, (x.data_ptr() + x.nbytes) // page * page
        if (start, end) in self._asked:
            return
        self._asked.add((start, end))
        before = time.perf_counter()
        for at in range(start, end, page):
            if time.perf_counter() - before > self.seconds:
                break
            advise(at, page, _COLLAPSE)  # refused: this page stays as it is
        self.seconds -= time.perf_counter() - before


maker = Maker()


def _is_worth_it(x: torch.Tensor) -> bool:
    return type(x) is torch.Tensor and x.device.type == "cpu" and x.nbytes >= LEAST


@functools.cache
def _large_page() -> int:
    """Return how many bytes a large page has; 0 where the system gives none, or its owner wants none."""
    try:
        wanted = "[never]" not in (_SYSTEM / "enabled").read_text()
        return int((_SYSTEM / "hpage_pmd_size").read_text()) if wanted else 0
    except (OSError, ValueError):
        return 0


@functools.cache
def _madvise() -> Callable[[int, int, int], int] | None:
    """Return the C library's madvise, or None where there is none that knows of large pages."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return madvise
