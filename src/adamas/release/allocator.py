"""Tells glibc's allocator to give freed gradients back to the system.

From which size on a block is mapped by itself, and so unmapped when it is freed, glibc decides as it goes: up to 32
MiB. Smaller ones stay in its heap, and torch's aligned blocks leave holes there that the next one of the same size does
not fit into: of 403 MB of gradients in matrices of 16 MiB, a released training kept 335 in the process. With the size
fixed at 1 MiB it keeps one matrix. The price: every new block of 1 to 32 MiB gets fresh pages from the system.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_MMAP_THRESHOLD = -3
_MAPPED, _USUAL = 2**20, 2**25
_users = 0


def give_back(wanted: bool) -> None:
    """Map blocks from 1 MiB on by themselves; from 32 MiB on again when the last who wanted it no longer does.

    Who has set ``MALLOC_MMAP_THRESHOLD_`` or has another C library than glibc keeps things as they are.
    """
    global _users
    _users += 1 if wanted else -1
    if not sys.platform.startswith("linux") or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED if _users > 0 else _USUAL)
