"""Sparse gradients on the Triton engine: touched rows are stepped where they are, in one kernel launch.

Rows that lag (``sparse="exact"``) are caught up by the reference before.
"""

from __future__ import annotations

from array import array
from typing import Any

import torch
from torch.autograd.graph import increment_version

from adamas.engines import library, triton
from adamas.engines.launch import Item
from adamas.engines.rows import Rows
from adamas.engines.triton import kinds_of
from adamas.engines.triton_table import UNIT, are_aligned, fields_of, is_aligned, send, size_of
from adamas.sparse.gradients import Touched
from adamas.sparse.lag import Lag
from adamas.sparse.launch import are_contiguous
from adamas.sparse.reference import ReferenceRows


def refuse(item: Item) -> str | None:
    """Say why this engine cannot step rows of the item, or None if it can."""
    if not are_contiguous(item):
        return "its rows do not lie one after the other: make it contiguous"
    return triton.refuse(item, item.param)


class TritonRows(ReferenceRows):
    """Touched rows of one parameter, in one launch of `adamas.kernels.step`."""

    def __init__(self, item: Item, sparse_dim: int, lag: Lag | None) -> None:
        super().__init__(item, sparse_dim, lag)
        from adamas.kernels.step import step_kernel

        self._kernel: Any = step_kernel
        self._device = item.param.device
        fields = fields_of(item)
        fields[0], fields[1] = self.width, self.height
        self._fields, self._owner = send(self._device, array("q", fields), array("i", [0]))
        self._kinds, self._size, self._aligned = kinds_of(item), size_of(item), is_aligned(fields)

    def _step_rows(
        self, touched: Touched, grads: torch.Tensor, rows: Rows, row_of: array, places: torch.Tensor | None, step: float
    ) -> None:
        count = len(touched.rows)
        if places is None:
            places = torch.full((count,), row_of[0], dtype=torch.int32)
        there = places.to(self._device, non_blocking=True)
        address = array("q", [grads.data_ptr()])
        pointers, steps, numbers = send(self._device, address, array("d", [step]), array("f", rows.numbers))
        increment_version([self.item.owner])
        programs = -(-count * -(-self.width // UNIT) // self._size.units)
        if programs == 0:
            return
        moving = (pointers, steps, there, numbers, rows.width, touched.rows, count, self._owner)
        fixed = {
            "GRAD": library.DTYPES[grads.dtype],
            "ROWS": True,
            "FLAT": False,
            "ALIGNED": self._aligned and are_aligned(address),
            "ASKS": False,
            "DIMS": 0,
            "UNITS": self._size.units,
            "num_warps": self._size.warps,
            **self._kinds,
        }
        with torch.cuda.device_of(self._fields):
            launch = self._kernel[(programs,)]
            launch(self._fields, self._owner, self._fields, *moving, enable_fp_fusion=False, **fixed)
