"""Looks at many tensors for a change of what a plan was made for: kind, dtype, device, shape, strides, lazy bits.

torch.compile has the same question to ask of its inputs, and torch answers it in C++ for all of them in one call
(``TensorGuards``): a tenth of the time of one method call a tensor and property. That class is private, so there is a
way without it, and a plan never relies on more than "nothing changed": where either says otherwise it is made anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import torch

_Tensor = torch.Tensor
_PROPERTIES: tuple[Callable[[_Tensor], Any], ...] = (
    type,
    attrgetter("dtype"),
    attrgetter("device"),
    attrgetter("shape"),
    _Tensor.stride,
    _Tensor.is_neg,
    _Tensor.is_conj,
)


class Looks:
    """How tensors looked when a plan was made.

    Args:
        tensors: strided tensors.
        free: a dimension of each of the first ones that may be of any size. (Without torch's own check it may
            not: then a tensor of another size looks different.)

    Attributes:
        same: says whether tensors look as those did; None is no tensor. (It is torch's own check: one call less.)

    Example:
        >>> looks = Looks([torch.zeros(2, 3)])
        >>> looks.same(torch.ones(2, 3)), looks.same(torch.ones(3, 2).t()), looks.same(None)
        (True, False, False)
    """

    same: Callable[..., bool]

    def __init__(self, tensors: Sequence[_Tensor], free: Sequence[int] = ()) -> None:
        guard = _guard(tensors, free)
        self.same = guard.check if guard is not None else functools.partial(_same, _properties(tensors))


def _same(seen: list[list[Any]], *tensors: Any) -> bool:
    try:
        return all(isinstance(x, _Tensor) for x in tensors) and _properties(tensors) == seen
    except (RuntimeError, NotImplementedError):  # a sparse gradient has no strides
        return False


def _properties(tensors: Sequence[_Tensor]) -> list[list[Any]]:
    return [list(map(look, tensors)) for look in _PROPERTIES]


def _guard(tensors: Sequence[_Tensor], free: Sequence[int]) -> Any | None:
    """Return torch's own check, or None if this torch has none, or one that is not for these tensors."""
    try:
        from torch._C._dynamo.guards import TensorGuards

        sizes: list[Any] = [list(x.shape) for x in tensors]
        # The stride of a dimension of size 1 means nothing, and differs from one gradient to the next.
        strides: list[Any] = [
            [None if n == 1 else s for n, s in zip(x.shape, x.stride(), strict=True)] for x in tensors
        ]
        for place, dim in enumerate(free):
            sizes[place][dim] = None
        guard = TensorGuards(*tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides)
        return guard if guard.check(*tensors) else None  # False for a tensor that is listed twice
    except (ImportError, TypeError, RuntimeError):
        return None
