"""The Triton engine: one kernel launch steps all tensors of a launch on a GPU (CUDA, ROCm), whatever group they are in.

In Triton's interpreter (``TRITON_INTERPRET=1``) kernels run on the CPU: there alone this engine takes CPU tensors.
`docs/gpu.md` has what was measured on a GPU.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch.autograd.graph import increment_version

from adamas.engines import library
from adamas.engines.kinds import RULES, kind_of, misfit, triton_installed
from adamas.engines.launch import Item, Look, as_real
from adamas.engines.rows import Rows
from adamas.engines.statistics import Sums
from adamas.engines.triton_sums import totals
from adamas.engines.triton_table import BLOCKS, Fresh, Part, Table, send

NO_TRITON = "Triton is not installed (pip install 'adamas[triton]')"

_RANDOM = {"nearest": 0, "stochastic": 1, "split24": 2, "split32": 2}
_SUMS = len(Sums._fields)


def interpreted() -> bool:
    """Say whether kernels run in Triton's interpreter."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def refuse(item: Item, grad: torch.Tensor) -> str | None:
    """Say why this engine cannot step the item, or None if it can."""
    if item.rule not in RULES:
        return f"the rule {item.rule.__name__} is not compiled"
    if not triton_installed():
        return NO_TRITON
    if item.param.device.type != "cuda" and not (item.param.device.type == "cpu" and interpreted()):
        return f"it is on {item.param.device}"
    return misfit(item, grad, without=(torch.float64,))


def kinds_of(item: Item) -> dict[str, int]:
    """Return what kernels are compiled for: the rule, how things are stored, how they are rounded."""
    kinds = [kind_of(slot) for slot in item.slots]
    return {
        "RULE": RULES[item.rule],
        "WEIGHT": library.DTYPES[item.param.dtype],
        **{f"SLOT{place}": -1 for place in range(library.MAX_SLOTS)},
        **{f"SLOT{place}": kind for place, kind in enumerate(kinds) if kind is not None},
        "LOW": 0 if item.low is None else item.low.element_size(),
        "RANDOM": _RANDOM[item.rounding.name],
    }


class TritonLaunch:
    """Items stepped by one launch of `adamas.kernels.step`; by two if some of them lie otherwise than row-major.

    Args:
        items: parameters of one rule, one set of dtypes, one rounding and one device.
        grads: their gradients now; later ones must have the same strides.
    """

    def __init__(self, items: Sequence[Item], grads: Sequence[torch.Tensor]) -> None:
        from adamas.kernels.step import step_kernel
        from adamas.kernels.sums import ratios_kernel, statistics_kernel

        self.items = items
        self._kernels = {"step": step_kernel, "ratios": ratios_kernel, "statistics": statistics_kernel}
        self._written = [item.owner for item in items]
        self._lazy = any(grad.is_conj() or grad.is_neg() for grad in grads)
        self._table = Table(items, grads)
        self._kinds = kinds_of(items[0])
        self._weight = {key: self._kinds[key] for key in ("WEIGHT", "LOW")}

    def run(self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array) -> None:
        """Take one step for every item."""
        fresh, even, kept = self._send(grads, rows, row_of, steps)
        self._step(fresh, even, rows.width)
        del kept

    def ratios(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, slot: int, moments: array
    ) -> array:
        """Return the sum of g^2 / max(v, floor) of every item."""
        fresh, _, kept = self._send(grads, rows, row_of, steps)
        sums = self._sums(1, torch.float64)
        (moment,) = send(sums.device, array("f", moments))
        named = {**self._weight, "SLOT": self._kinds[f"SLOT{slot}"], "PLACE": slot}
        for part in self._table.parts:
            around = (fresh.gradients, fresh.places, fresh.numbers, rows.width, moment, sums)
            self._call("ratios", part, part.sum_owner, *around, BLOCKS=BLOCKS, **named)
        del kept
        return totals(sums[0], self._table.first_block)

    def statistics(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, look: Look, run: bool
    ) -> Sequence[float]:
        """Return the numbers of every item; and take the step, if that is asked for."""
        fresh, even, kept = self._send(grads, rows, row_of, steps)
        sums = self._sums(_SUMS, torch.float32)
        (limits,) = send(sums.device, array("f", look.limits))
        named = {**self._kinds, "FIRST": look.first, "SECOND": look.second}
        for part in self._table.parts:
            around = (fresh.gradients, fresh.places, fresh.numbers, rows.width, limits, sums, sums.shape[1])
            self._call("statistics", part, part.sum_owner, *around, BLOCKS=BLOCKS, **named)
        if run:
            self._step(fresh, even, rows.width)
        del kept
        here = sums.cpu()
        largest = here[_SUMS - 1].tolist()
        first = self._table.first_block
        columns = [totals(each, first) for each in here[: _SUMS - 1]]
        columns.append(array("d", [max(largest[a:b], default=0.0) for a, b in pairwise(first)]))
        return [column[place] for place in range(len(self.items)) for column in columns]

    def run_captured(self, fresh: Fresh, even: bool, width: int, go: torch.Tensor) -> None:
        """Take one step by what is on the device already.

        Args:
            fresh: addresses of the gradients as `as_real` gives them, steps and rows of numbers.
            even: whether all gradients begin at a multiple of 16 bytes.
            width: how many numbers a row has.
            go: 1 if the step is taken, else 0 (int64).
        """
        self._step(fresh, even, width, go)

    def _step(self, fresh: Fresh, even: bool, width: int, go: torch.Tensor | None = None) -> None:
        increment_version(self._written)
        size = self._table.size
        fixed = {"ROWS": False, "ASKS": go is not None, "UNITS": size.units, "num_warps": size.warps}
        named = {**self._kinds, "GRAD": self._kinds["WEIGHT"], **fixed}
        for part in self._table.parts:
            asked = part.owner if go is None else go
            ways = {"FLAT": part.flat, "ALIGNED": part.aligned and even}
            self._call("step", part, part.owner, *fresh, width, part.owner, 0, asked, **ways, **named)

    def _call(self, kernel: str, part: Part, owner: torch.Tensor, *arguments: Any, **named: Any) -> None:
        table = self._table
        with torch.cuda.device_of(table.fields):
            self._kernels[kernel][(len(owner),)](
                table.fields, owner, table.layout, *arguments, DIMS=part.dims, enable_fp_fusion=False, **named
            )

    def _sums(self, numbers: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(numbers, self._table.first_block[-1], dtype=dtype, device=self._table.fields.device)

    def _send(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array
    ) -> tuple[Fresh, bool, Sequence[torch.Tensor]]:
        """Return what is new in this step, whether gradients begin at multiples of 16, what must outlive the launch."""
        if self._lazy:
            grads = [as_real(grad) for grad in grads]
        return *self._table.send(grads, rows, row_of, steps), grads
