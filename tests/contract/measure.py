"""How tensors are compared here: to the bit, or in units in the last place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def real(tensor: Tensor) -> Tensor:
    """The tensor without autograd, a complex one as pairs of reals."""
    plain = tensor.detach().resolve_conj().resolve_neg()
    return torch.view_as_real(plain) if plain.is_complex() else plain


def as_bytes(tensor: Tensor) -> Tensor:
    # clone, because torch calls an empty tensor of any stride contiguous, but views only a plain one as bytes
    return real(tensor).clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8)


def assert_same_bits(actual: Any, expected: Any, what: str = "value") -> None:
    """Equality that tells -0.0 from 0.0, and lets a NaN equal itself; through dicts, lists and tuples."""
    if isinstance(expected, Tensor):
        assert isinstance(actual, Tensor), f"{what} is a {type(actual).__name__}, not a tensor"
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), what
        assert torch.equal(as_bytes(actual), as_bytes(expected)), f"{what}: {actual} is not {expected}"
    elif isinstance(expected, Mapping):
        assert actual.keys() == expected.keys(), f"{what}: {set(actual)} are not {set(expected)}"
        for key in expected:
            assert_same_bits(actual[key], expected[key], f"{what}[{key!r}]")
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected), what
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            assert_same_bits(a, e, f"{what}[{i}]")
    else:
        assert actual == expected, f"{what}: {actual} is not {expected}"


def copies(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def ulp(magnitude: Tensor) -> Tensor:
    """Distance from |magnitude| to the next larger number of its type, in float64."""
    magnitude = magnitude.abs()
    beyond = torch.nextafter(magnitude, torch.full_like(magnitude, torch.inf))
    return beyond.double() - magnitude.double()


def distance(a: Tensor, b: Tensor) -> Tensor:
    """|a - b| in float64; infinite where only one of them is a number."""
    a, b = real(a).double(), real(b).double()
    same = (a == b) | (a.isnan() & b.isnan())
    return torch.where(same, 0.0, (a - b).abs().nan_to_num(nan=torch.inf))
