"""Sparse gradients as a step needs them: checked, and every touched row once.

A COO gradient with s sparse dimensions is a list of rows of the weight seen as a matrix: its first s dimensions are the
matrix's height, the others its width. (An embedding has s = 1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch

_OUT_OF_RANGE = "{name} has a gradient with index {index}, its rows are 0 to {last}: look at what makes the gradient"


@dataclass(slots=True, eq=False)
class Touched:
    """The rows that a step touches.

    Attributes:
        count: how many.
        entries: how many entries the gradient has.
        room: their numbers, increasing; from place ``entries`` on, which row of ``values`` each of them takes or, from
            ``entries`` on, of ``added`` (int32 of the compiled library, else int64).
        values: the gradient's entries, a row of numbers each; real, row-major.
        added: sums of the entries of rows that have several, in the type of the computation; None if there is none.
    """

    count: int
    entries: int
    room: torch.Tensor
    values: torch.Tensor
    added: torch.Tensor | None

    @property
    def rows(self) -> torch.Tensor:
        """The numbers of the rows, increasing (int64)."""
        return self.room[: self.count].long()

    def merged(self) -> torch.Tensor:
        """Return the gradient of the touched rows, in their order."""
        values, first = self.values, self.entries
        if self.added is not None:
            values = torch.cat([values.to(self.added.dtype), self.added])
        return values[self.room[first : first + self.count].long()]


def height_of(p: torch.Tensor, sparse_dim: int) -> int:
    """Return how many rows a weight has beside a gradient of so many sparse dimensions.

    Example:
        >>> height_of(torch.zeros(10, 4), 1), height_of(torch.zeros(10, 4), 2)
        (10, 40)
    """
    return prod(p.shape[:sparse_dim])


def same_kind(p: torch.Tensor, grad: torch.Tensor | None, sparse_dim: int) -> bool:
    """Say whether this is a gradient like the one that a launch was planned for."""
    return (
        grad is not None
        and grad.layout == torch.sparse_coo
        and grad.sparse_dim() == sparse_dim
        and grad.dtype == p.dtype
        and grad.shape == p.shape
    )


def check_sparse(name: str, p: torch.Tensor, grad: torch.Tensor) -> None:
    """Raise RuntimeError for a sparse gradient that cannot be read.

    Args:
        name: what errors call the parameter.
        p: the parameter; shape, dtype and device are known to agree.
        grad: its gradient.
    """
    if grad.layout != torch.sparse_coo:
        raise RuntimeError(
            f"the gradient of {name} has layout {grad.layout}: sparse gradients must be torch.sparse_coo; convert it "
            f"with p.grad = p.grad.to_sparse(sparse_dim=1), or to_dense()"
        )
    index, _ = check_entries(name, p, grad)
    check_range(name, rows_of(index, p), height_of(p, grad.sparse_dim()))


def check_entries(name: str, p: torch.Tensor, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a gradient's indices and values; raise RuntimeError if they are no entries of the parameter."""
    index, values = grad._indices(), grad._values()
    if index.dtype != torch.int64:
        raise RuntimeError(f"the gradient of {name} has indices of {index.dtype}: they must be torch.int64")
    dims = index.shape[0]
    if not dims:
        raise RuntimeError(f"the gradient of {name} is sparse and has no sparse dimension: use p.grad.to_dense()")
    if values.shape != (index.shape[1], *p.shape[dims:]):
        raise RuntimeError(
            f"the gradient of {name} has values of shape {tuple(values.shape)}: with {index.shape[1]} entries, {dims} "
            f"sparse dimensions and a parameter of shape {tuple(p.shape)} they must have "
            f"{(index.shape[1], *p.shape[dims:])}"
        )
    if dims > 1:  # numbers of rows could be in range where an index is not
        for dim, each in enumerate(index):
            check_range(f"{name} (dimension {dim})", each, p.shape[dim])
    return index, values


def rows_of(index: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Return the number of the row of every entry."""
    rows = index[0]
    for dim in range(1, len(index)):
        rows = rows * p.shape[dim] + index[dim]
    return rows


def check_range(name: str, rows: torch.Tensor, height: int) -> None:
    """Raise RuntimeError if the parameter has no such row."""
    if not rows.numel():
        return
    low, high = (int(x) for x in rows.aminmax())
    if low < 0 or high >= height:
        refuse_index(name, low if low < 0 else high, height)


def refuse_index(name: str, index: int, height: int) -> None:
    """Raise RuntimeError for a row that is not there."""
    raise RuntimeError(_OUT_OF_RANGE.format(name=name, index=index, last=height - 1))


def refuse_settings(name: str, group: dict[str, Any]) -> None:
    """Raise RuntimeError for options that need a gradient of every element."""
    if group.get("differentiable"):
        raise RuntimeError(f"{name} has a sparse gradient, and its step is to be differentiable: use p.grad.to_dense()")
    if group.get("cautious"):
        raise RuntimeError(
            f"{name} has a sparse gradient, and its group has cautious=True, which counts what moves of a whole "
            f"tensor: give it a group with cautious=False, or use p.grad.to_dense()"
        )
    if group.get("clip_update") is not None:
        raise RuntimeError(
            f"{name} has a sparse gradient, and its group has clip_update={group['clip_update']!r}, which measures "
            f"whole tensors: give it a group with clip_update=None (clip_norm works), or use p.grad.to_dense()"
        )
