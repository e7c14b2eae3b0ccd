"""Counters of many parameters at once: ``step`` and its kin are one 0-dim tensor each, as in torch.

Many of them are read and written in one call of the compiled library, where there is one.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence

import torch

from adamas.engines import library
from adamas.engines.objects import addresses

_FEW = 4


class Counters:
    """The same counter of many parameters.

    Args:
        tensors: 0-dim tensors on the CPU.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self.tensors = tensors
        compiled = all(t.dtype == torch.float32 and t.device.type == "cpu" for t in tensors)
        self._library = library.load() if compiled and tensors else None
        self._pointers = addresses(list(tensors))
        self._values = array("d", bytes(8 * len(tensors)))
        # Where there are few, their numbers are read and written as they are: a call costs more.
        few = self._library is not None and len(tensors) <= _FEW
        self._cells = [ctypes.c_float.from_address(pointer) for pointer in self._pointers] if few else []
        self._all = (len(tensors), self._pointers.buffer_info()[0], self._values.buffer_info()[0])

    def count(self) -> array:
        """Add 1 to all, return the new values."""
        if self._cells:
            for cell in self._cells:
                cell.value += 1.0
            return array("d", [cell.value for cell in self._cells])
        if self._library is None:
            torch._foreach_add_(list(self.tensors), 1.0)
            return self.read()
        self._library.adamas_count(*self._all)
        return self._values[:]

    def read(self) -> array:
        """Return the values."""
        if self._library is None:
            return array("d", [t.item() for t in self.tensors])
        self._library.adamas_read(*self._all)
        return self._values[:]

    def write(self, values: Sequence[float]) -> None:
        """Replace the values."""
        if self._library is None:
            for t, value in zip(self.tensors, values, strict=True):
                t.fill_(value)
            return
        new = array("d", values)
        self._library.adamas_write(len(self.tensors), self._pointers.buffer_info()[0], new.buffer_info()[0])
