"""Parameters in pieces: which part of one this process has (DTensor: FSDP2, tensor parallelism), and where it lies.

Rules are elementwise, so a piece is stepped as any tensor is. Three things still need to know the whole: random numbers
(their counter is the element's place in the whole parameter), sums over a parameter, and blocks of codes, which must
lie in one piece. State is kept as DTensors placed as the parameter is; the engines see only what is local.

torch's ``_local_tensor`` is read rather than ``to_local()``: that is the same tensor without gradient tracking, and an
attribute costs 0.04 µs a parameter where the method makes a new tensor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from operator import attrgetter
from typing import Any

import torch

LOCAL = attrgetter("_local_tensor")
UNIT = 128  # elements: no block of any format ends between two multiples of it


def is_sharded(x: Any) -> bool:
    """Say whether a tensor is a DTensor; nobody has one who has not imported their module."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(x, module.DTensor)


def local(x: Any) -> Any:
    """Return the local part of a DTensor, anything else as it is.

    Example:
        >>> x = torch.ones(2)
        >>> local(x) is x
        True
    """
    if not is_sharded(x):
        return x
    piece = x._local_tensor
    return piece.wait() if hasattr(piece, "wait") else piece  # it may still be on its way from other processes


def locals_of(tensors: Sequence[Any]) -> list[Any]:
    """Return the local parts of many tensors, most of which are DTensors."""
    try:
        return list(map(LOCAL, tensors))
    except AttributeError:
        return [local(x) for x in tensors]


@dataclass(frozen=True, eq=False)
class Cut:
    """How a parameter is cut, and which piece of it this process steps.

    Attributes:
        mesh: the processes that have pieces of it.
        placements: for each dimension of the mesh, how the pieces lie.
        shape: of the whole parameter.
        offset: where the piece begins, in each dimension.
        size: the shape of the piece.
        bucket: number of what is sent to other processes together after a step (ZeRO-1).
    """

    mesh: Any
    placements: tuple[Any, ...]
    shape: torch.Size
    offset: tuple[int, ...]
    size: torch.Size
    bucket: int = 0

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimensions of the mesh along which processes have different pieces."""
        return tuple(i for i, placement in enumerate(self.placements) if not placement.is_replicate())

    def take(self, x: torch.Tensor) -> torch.Tensor:
        """Return this process's piece of a tensor of the whole's shape: a view, whether it is cut already or not."""
        if is_sharded(x):
            return local(x)
        for dim, (start, size) in enumerate(zip(self.offset, self.size, strict=True)):
            x = x.narrow(dim, start, size) if size != x.shape[dim] else x
        return x

    def gradient(self, grad: Any) -> torch.Tensor:
        """Return this process's piece of a gradient; one that is placed otherwise than the parameter is moved first."""
        if is_sharded(grad) and tuple(grad.placements) != self.placements:
            grad = grad.redistribute(placements=self.placements)
        return self.take(grad)

    def wrap(self, piece: torch.Tensor, shape: torch.Size) -> Any:
        """Return the DTensor of this shape that has a piece of state as this process's part.

        Args:
            piece: of the size of the parameter's piece or, for codes in blocks, (rows, words or scales).
            shape: that all pieces have together.
        """
        from torch.distributed.tensor import DTensor

        stride = tuple(prod(shape[d + 1 :]) for d in range(len(shape)))
        return DTensor.from_local(
            piece.detach(), self.mesh, self.placements, run_check=False, shape=shape, stride=stride
        )

    def index(self, complex_numbers: bool) -> tuple[int, list[int]]:
        """Return where the piece's first element is in the whole, and how far its next is in each dimension."""
        shape = [*self.shape, 2] if complex_numbers else list(self.shape)
        strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
        return sum(start * stride for start, stride in zip(self.offset, strides, strict=False)), strides

    def blocks_misfit(self) -> str | None:
        """Say why codes in blocks cannot lie in one piece each, or None if they do. All processes say the same."""
        cut_along = [getattr(placement, "dim", None) for placement in self.placements]
        for dim in sorted({each for each in cut_along if each}):
            parts = prod(n for n, each in zip(self.mesh.shape, cut_along, strict=True) if each == dim)
            run = self.shape[dim] * prod(self.shape[dim + 1 :])
            if dim > 1 or self.shape[dim] % parts or run // parts % UNIT:
                return (
                    f"it is cut into {parts} along dimension {dim} of {tuple(self.shape)}, and blocks of codes must "
                    f"lie in one piece: cut its first dimension, or the second into multiples of {UNIT} elements"
                )
        return None

    @property
    def is_vector(self) -> bool:
        """Whether the one row of a vector is what is cut: its pieces end wherever they do, and so have no blocks."""
        return len(self.shape) == 1 and bool(self.dims)


def piece_of(p: torch.Tensor, cut: Cut | None) -> torch.Tensor:
    """Return what this process steps of a parameter: all of it, or its piece."""
    return p if cut is None else cut.take(p.detach())


CutOf = Callable[[torch.Tensor], "Cut | None"]


def cut_of(p: torch.Tensor) -> Cut | None:
    """Return how a DTensor is cut, None for any other tensor.

    Raises:
        ValueError: for a DTensor whose processes have summands of it (``Partial``).
    """
    if not is_sharded(p):
        return None
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    p_mesh, placements = p.device_mesh, tuple(p.placements)  # type: ignore[attr-defined]
    if any(placement.is_partial() for placement in placements):
        raise ValueError(f"a parameter is {placements}: what is a sum over processes has no numbers to step")
    size, offset = compute_local_shape_and_global_offset(p.shape, p_mesh, placements)
    return Cut(p_mesh, placements, p.shape, tuple(offset), torch.Size(size))
