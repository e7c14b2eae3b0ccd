"""Sums over parameters of which every process has a piece.

Each process adds up its own pieces; then, along every dimension of a parameter's mesh that it is cut in, processes send
each other their sums, and all add them up in the order of their ranks: so all of them have the same bits. A copy counts
once, as nothing is added along dimensions of copies. There is one exchange for all parameters that are cut alike.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import torch

from adamas.engines.launch import Item
from adamas.lost import together


class Across:
    """What of a plan is cut, and between which processes.

    Args:
        items: parameters; every process has the same ones in the same order.

    Example:
        >>> list(Across([]).total(array("d", [])))
        []
    """

    def __init__(self, items: Sequence[Item]) -> None:
        alike: dict[tuple[Any, tuple[int, ...]], list[int]] = {}
        for place, item in enumerate(items):
            if item.cut is not None and item.cut.dims:
                alike.setdefault((item.cut.mesh, item.cut.dims), []).append(place)
        self._alike = alike

    def __bool__(self) -> bool:
        return bool(self._alike)

    def total(self, sums: Sequence[float], width: int = 1, largest: int | None = None) -> array:
        """Return the sums over whole parameters.

        Args:
            sums: for each item ``width`` sums over its piece.
            width: how many there are.
            largest: which of them, if any, is not a sum but the largest of something.
        """
        total = array("d", sums)
        for (mesh, dims), places in self._alike.items():
            own = [total[width * place + k] for place in places for k in range(width)]
            for dim in dims:
                rows = _exchange(own, mesh, dim)
                own = [_join(column, at % width == largest) for at, column in enumerate(zip(*rows, strict=True))]
            for at, place in enumerate(places):
                total[width * place : width * (place + 1)] = array("d", own[width * at : width * (at + 1)])
        return total


def _join(column: Sequence[float], largest: bool) -> float:
    if largest:
        return max(column)
    total = 0.0
    for each in column:  # not sum(): it compensates from Python 3.12 on
        total += each
    return total


def _exchange(own: list[float], mesh: Any, dim: int) -> list[list[float]]:
    """Return the numbers of all processes along a dimension of a mesh, in their order."""
    sent = torch.tensor(own, dtype=torch.float64, device=mesh.device_type)
    heard = [torch.empty_like(sent) for _ in range(mesh.size(dim))]
    with together("the sums of optimizer.step()"):
        torch.distributed.all_gather(heard, sent, group=mesh.get_group(dim))
        return [each.tolist() for each in heard]
