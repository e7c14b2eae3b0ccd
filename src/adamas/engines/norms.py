"""Sums of squares of many tensors in one read: how long gradients are, and whether all of them are finite.

A tensor is summed in blocks of 4096 elements; in a block 16 sums in float64 take every 16th element each, and are then
added in a fixed order. So the compiled library, for any number of threads and on any instruction set, and the reference
below give the same bits. (``csrc/norms.h`` has the same sum in C++.)
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate

import torch

from adamas.engines import library
from adamas.engines.kinds import triton_installed
from adamas.engines.launch import as_real
from adamas.engines.objects import addresses

_SUMS = 16
_SEGMENT = 256 * library.BLOCK  # how much the reference turns into float64 at a time


class Squares:
    """The sums of squares of tensors whose addresses and numbers will change, but nothing else.

    Args:
        tensors: strided tensors of real or complex numbers.

    Example:
        >>> x, y = torch.tensor([3.0, 4.0]), torch.tensor([1.0])
        >>> list(Squares([x, y]).of([x, y]))
        [25.0, 1.0]
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        runs: dict[tuple[torch.device, torch.dtype], dict[int, torch.Tensor]] = {}
        self._others: list[int] = []
        for i, x in enumerate(tensors):
            if _is_compiled(x):
                runs.setdefault((x.device, x.dtype), {})[i] = x
            else:
                self._others.append(i)
        self._runs = [(_CpuRun if device.type == "cpu" else _GpuRun)(members) for (device, _), members in runs.items()]

    def of(self, tensors: Sequence[torch.Tensor]) -> array:
        """Return the sum of squares of each tensor as it is now."""
        sums = array("d", bytes(8 * len(tensors)))
        for run in self._runs:
            run.fill(tensors, sums)
        for i in self._others:
            sums[i] = sum_blocks(_square, [_flat(tensors[i].detach())])
        return sums


class _GpuRun:
    """Tensors of one dtype on one GPU that one kernel sums: the host waits for them once."""

    def __init__(self, members: dict[int, torch.Tensor]) -> None:
        from adamas.engines.triton_sums import GpuSquares

        self._places, self._squares = list(members), GpuSquares(list(members.values()))

    def fill(self, tensors: Sequence[torch.Tensor], sums: array) -> None:
        """Put the sums of this run's tensors where they belong."""
        for i, x in zip(self._places, self._squares.of([tensors[i] for i in self._places]), strict=True):
            sums[i] = x


class _CpuRun:
    """Tensors of one dtype that one call of ``adamas_squares`` sums."""

    def __init__(self, members: dict[int, torch.Tensor]) -> None:
        self._places = list(members)
        numels = [x.numel() * (2 if x.is_complex() else 1) for x in members.values()]
        self._dtype = library.DTYPES[next(iter(members.values())).dtype.to_real()]
        self._numel = array("q", numels)
        self._first = first_blocks(numels)
        self._partial = array("d", bytes(8 * self._first[-1]))

    def fill(self, tensors: Sequence[torch.Tensor], sums: array) -> None:
        """Put the sums of this run's tensors where they belong."""
        loaded = library.load()
        if loaded is None:
            raise RuntimeError("the compiled library was there when the sums were planned, and is gone")
        pointers = addresses([tensors[i] for i in self._places])
        out = array("d", bytes(8 * len(pointers)))
        arrays = (self._numel, self._first, pointers, self._partial, out)
        loaded.adamas_squares(
            self._dtype, torch.get_num_threads(), len(pointers), *(each.buffer_info()[0] for each in arrays)
        )
        for i, x in zip(self._places, out, strict=True):
            sums[i] = x


def total_norm(squares: Sequence[float], inverse_scale: float = 1.0) -> float:
    """Return the norm of all tensors together, the same in whatever order they are.

    Args:
        squares: the sum of squares of each.
        inverse_scale: what the tensors will be multiplied with.

    Example:
        >>> total_norm([9.0, 16.0])
        5.0
    """
    return inverse_scale * math.sqrt(math.fsum(squares))


def first_blocks(numels: Sequence[int]) -> array:
    """Return the number of blocks before each tensor, and of all.

    Example:
        >>> list(first_blocks([5000, 1]))
        [0, 2, 3]
    """
    return array("q", accumulate((-(-n // library.BLOCK) for n in numels), initial=0))


def sum_blocks(
    of: Callable[..., torch.Tensor], operands: Sequence[torch.Tensor], dtype: torch.dtype = torch.float64
) -> float:
    """Return the sum over ``of(*operands)``, in the order described above.

    Args:
        of: gives a flat tensor of numbers to add for pieces of the operands.
        operands: flat tensors of the same number of elements.
        dtype: what a block is summed in; blocks are added up in float64.
    """
    total = 0.0
    for start in range(0, operands[0].numel(), _SEGMENT):
        values = of(*(x[start : start + _SEGMENT] for x in operands)).to(dtype)
        padded = torch.nn.functional.pad(values, (0, -values.numel() % library.BLOCK))
        rows = padded.view(-1, library.BLOCK // _SUMS, _SUMS).unbind(1)
        sums = rows[0]
        for row in rows[1:]:
            sums = sums + row
        while sums.shape[1] > 1:
            low, high = sums.chunk(2, dim=1)
            sums = low + high
        for each in sums[:, 0].tolist():
            total += each
    return total


def _square(x: torch.Tensor) -> torch.Tensor:
    wide = x.double()
    return wide * wide


def _flat(x: torch.Tensor) -> torch.Tensor:
    """Return the elements as real numbers, in the order of their memory where it has no gaps, else row-major."""
    plain = as_real(x)
    return plain.as_strided((plain.numel(),), (1,)) if is_dense(plain) else plain.reshape(-1)


def _is_compiled(x: torch.Tensor) -> bool:
    """Say whether a compiled engine can sum it where it is; the sign of a lazily negated number does not matter."""
    known = x.dtype.to_real() in library.DTYPES and type(x) is torch.Tensor and is_dense(x)
    if x.device.type == "cuda":
        return known and triton_installed()
    return known and x.device.type == "cpu" and library.load() is not None


def is_dense(x: torch.Tensor) -> bool:
    """Say whether the elements lie one after the other, in whatever order."""
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(x.stride(), x.shape, strict=True) if size != 1):
        if stride != expected:
            return False
        expected *= size
    return x.numel() > 0 or x.is_contiguous()
