"""Sparse gradients on the compiled engine: touched rows are caught up and stepped where they are, in one call."""

from __future__ import annotations

import ctypes
from array import array

import torch
from torch.autograd.graph import increment_version

from adamas.engines import cpu, library
from adamas.engines.cpu import CpuLaunch
from adamas.engines.launch import Item
from adamas.engines.layout import dense_strides
from adamas.engines.library import INDEX_FLAT, LagStruct, Layout, RowsStruct, TrialStruct
from adamas.engines.rows import Rows
from adamas.pages import maker
from adamas.rules import AMSGrad
from adamas.sparse.gradients import Touched, height_of
from adamas.sparse.lag import Lag
from adamas.sparse.launch import RowsLaunch, are_contiguous
from adamas.sparse.merging import HIGH
from adamas.sparse.table import Table

_STRIP = 32  # elements that share random numbers: rows of other lengths need the index of each element


def refuse(item: Item, sparse_dim: int) -> str | None:
    """Say why this engine cannot step rows of the item, or None if it can."""
    if not are_contiguous(item):
        return "its rows do not lie one after the other: make it contiguous"
    if height_of(item.param, sparse_dim) >= HIGH:
        return f"it has {HIGH} rows or more"
    return cpu.refuse(item, item.param)


class CpuRows(RowsLaunch):
    """Touched rows of one parameter, in one call of ``adamas_step_rows``."""

    def __init__(self, item: Item, sparse_dim: int, lag: Lag | None) -> None:
        super().__init__(item, sparse_dim, lag)
        loaded = library.load()
        if loaded is None:
            raise RuntimeError(cpu.NO_LIBRARY)
        maker.make(item.param)
        self._library, self._launch = loaded, CpuLaunch([item], [item.param])
        if item.rounding.name != "nearest" and self.width % _STRIP:
            self._layout = _indexed(item.param.numel())
            self._layouts = array("Q", [ctypes.addressof(self._layout)])
            self._launch.struct.layout = self._layouts.buffer_info()[0]
        self._launch.struct.scalars_per_row = 3  # the least that there is: rows are caught up without any
        self._trials = TrialStruct(), TrialStruct()
        self._steps, self._moves = (  # rows that are stepped, and rows that are only caught up
            RowsStruct(
                launch=ctypes.pointer(self._launch.struct),
                length=self.width,
                dtype=library.DTYPES[item.param.dtype],
                trial=ctypes.addressof(trial),
            )
            for trial in self._trials
        )
        self._lag = LagStruct()
        self._aimed: torch.Tensor | None = None  # the sums that it points to

    def _step(self, touched: Touched, rows: Rows, row_of: array, places: torch.Tensor | None, steps: array) -> None:
        self._launch.number(rows, row_of, steps)
        table = None if self.lag is None else self.lag.table
        if table is not None:
            if self._aimed is not table.sums:  # a table's arrays are new when these are
                self._aim(table)
            self._lag.now = table.now
        struct, entries, row = self._steps, touched.entries, self._room.address
        struct.count, struct.entries, struct.values = touched.count, entries, touched.values.data_ptr()
        struct.row, struct.source = row, row + 4 * entries
        struct.added = None if touched.added is None else touched.added.data_ptr()
        struct.scalars = None if places is None else places.data_ptr()
        increment_version([self.item.owner])
        if self._library.adamas_step_rows(struct) != 0:
            raise RuntimeError(cpu.REFUSED)
        if table is not None:
            table.now += 1  # the library has advanced it

    def _move(self, rows: torch.Tensor | None) -> int:
        lag = self.lag
        if lag is None or lag.table is None:
            return 0
        if self._aimed is not lag.table.sums:
            self._aim(lag.table)
        self._lag.now = lag.table.now
        struct = self._moves
        rows = None if rows is None else rows.to(lag.last)  # as its numbers are
        struct.count = self.height if rows is None else len(rows)
        struct.row = None if rows is None else rows.data_ptr()
        self._launch.struct.threads = torch.get_num_threads()
        behind = self._library.adamas_catch_up(struct)
        if behind < 0:
            raise RuntimeError(cpu.REFUSED)
        if behind:
            increment_version([self.item.owner])
        return behind

    def _aim(self, table: Table) -> None:
        """Point the struct at a table's arrays, and at the steps that rows are at."""
        assert self.lag is not None
        struct, self._aimed = self._lag, table.sums
        struct.last = self.lag.last.data_ptr()
        struct.start, struct.reach = table.start, table.reach
        struct.constant = self.item.rule is AMSGrad
        struct.sums, struct.powers = table.sums.data_ptr(), table.powers.data_ptr()
        for name in ("kept", "rate", "unbias", "power1", "power2", "half2", "next"):
            setattr(struct, name, getattr(table, name).buffer_info()[0])
        struct.eps, struct.tolerance = table.eps, table.tolerance
        self._steps.lag = self._moves.lag = ctypes.pointer(struct)


def _indexed(numel: int) -> Layout:
    """Return a layout in which all is flat, but the index of each element is looked up."""
    layout = Layout(dims=1, flat=INDEX_FLAT - 1)
    layout.size[0], layout.index_stride[0] = numel, dense_strides([numel])[0]
    for stride in layout.stride:
        stride[0] = 1
    return layout
