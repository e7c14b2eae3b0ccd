"""Sums of tensors on a GPU: kernels add up blocks, the host adds up the blocks of each tensor, after one copy."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import torch

from adamas.engines.launch import as_real
from adamas.engines.library import BLOCK, DTYPES
from adamas.engines.norms import first_blocks
from adamas.engines.objects import addresses
from adamas.engines.triton_table import BLOCKS, send

_FEW = 512


def totals(blocks: torch.Tensor, first_block: Sequence[int]) -> array:
    """Return the sum of each tensor's blocks, in their order.

    Args:
        blocks: a number for each block, on any device.
        first_block: the number of blocks before each tensor, and of all.

    Example:
        >>> totals(torch.tensor([1.0, 2.0, 4.0]), [0, 2, 2, 3])
        array('d', [3.0, 0.0, 4.0])
    """
    here = blocks.to("cpu", torch.float64)  # the one place where the host waits for the device
    values, sums = here.tolist(), array("d")
    for start, end in pairwise(first_block):
        if end - start <= _FEW:
            sums.append(reduce(add, values[start:end], 0.0))
        else:
            sums.append(here[start:end].cumsum(0)[-1].item())  # one after the other, as a sum is not
    return sums


class GpuSquares:
    """Sums of squares of tensors of one dtype and device, as `adamas.engines.norms.Squares`.

    Args:
        tensors: tensors whose elements lie one after the other, in whatever order.

    Example:
        >>> x = torch.tensor([3.0, 4.0])
        >>> list(GpuSquares([x]).of([x]))
        [25.0]
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._device = tensors[0].device
        self._kind = DTYPES[tensors[0].dtype.to_real()]
        numels = [as_real(x).numel() for x in tensors]
        self._first_block = first_blocks(numels)
        owner, first_program = array("i"), array("q")
        for place, numel in enumerate(numels):
            first_program.append(len(owner))
            owner += array("i", [place]) * -(-numel // (BLOCK * BLOCKS))
        self._programs = len(owner)
        self._tables = send(self._device, owner, first_program, self._first_block, array("q", numels))

    @property
    def blocks(self) -> int:
        """How many blocks all tensors have."""
        return self._first_block[-1]

    def of(self, tensors: Sequence[torch.Tensor]) -> array:
        """Return the sum of squares of each tensor as it is now."""
        (pointers,) = send(self._device, addresses(list(tensors)))
        sums = torch.empty(self.blocks, dtype=torch.float64, device=self._device)
        self.put(pointers, sums)
        return self.added(sums)

    def added(self, sums: torch.Tensor) -> array:
        """Return the sum of each tensor's blocks."""
        return totals(sums, self._first_block)

    def put(self, pointers: torch.Tensor, sums: torch.Tensor) -> None:
        """Put the sum of squares of each block where the device has it.

        Args:
            pointers: addresses of the tensors.
            sums: `blocks` float64, written.
        """
        from adamas.kernels.sums import squares_kernel

        if self._programs:
            kernel: Any = squares_kernel[(self._programs,)]
            with torch.cuda.device_of(sums):
                kernel(*self._tables, pointers, sums, KIND=self._kind, BLOCKS=BLOCKS, enable_fp_fusion=False)
