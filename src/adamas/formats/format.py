"""What a format is: a way to keep a moment in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch

from adamas.pages import in_large_pages
from adamas.rounding import Dice, Rounding

_COMPLEX = {torch.float16: torch.complex32, torch.float32: torch.complex64, torch.float64: torch.complex128}


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A slot as it is in memory.

    Attributes:
        format: how to read it.
        codes: one number an element, or packed codes.
        scale: one number a block, for formats that have blocks; it is kept beside the codes in the optimizer's state.
        signed: whether the slot's values can be below zero.
        shape: of the parameter as real numbers, whatever the shape of the codes.
    """

    format: Format
    codes: torch.Tensor
    scale: torch.Tensor | None
    signed: bool
    shape: torch.Size

    def clone(self) -> Stored:
        """Return a copy."""
        return replace(self, codes=self.codes.clone(), scale=None if self.scale is None else self.scale.clone())


class Format(ABC):
    """A way to keep a slot.

    Attributes:
        name: what ``state_format=`` calls it.
        blockwise: whether elements share a scale with others of their row.
    """

    name: str
    blockwise: bool = False

    @abstractmethod
    def allocate(self, p: torch.Tensor, start: float, signed: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return new codes (and scale, or None) for a slot of ``p``, filled with ``start``.

        Raises:
            ValueError: if the format has no such numbers.
        """

    @abstractmethod
    def misfit(self, p: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor | None) -> str | None:
        """Say why these cannot be a slot of ``p``, or None if they can."""

    @abstractmethod
    def read(self, stored: Stored, compute: torch.dtype) -> torch.Tensor:
        """Return the slot's values in the dtype that the rule computes in, never the stored tensor itself."""

    @abstractmethod
    def write(self, stored: Stored, values: torch.Tensor, rounding: Rounding, dice: Dice) -> None:
        """Put new values into the slot."""


@dataclass(frozen=True)
class Plain(Format):
    """A format that stores every element as one number of ``dtype``.

    Attributes:
        name: what ``state_format=`` calls it.
        dtype: the dtype of the stored tensor.
    """

    name: str  # pyright: ignore[reportIncompatibleVariableOverride]
    dtype: torch.dtype

    def allocate(self, p: torch.Tensor, start: float, signed: bool) -> tuple[torch.Tensor, None]:
        """Return a new slot of the shape, device and memory order of ``p``, filled with ``start``."""
        value = complex(start, start) if p.is_complex() else start
        codes = torch.empty_like(p, dtype=self.dtype_for(p), memory_format=torch.preserve_format)
        return in_large_pages(codes).fill_(value), None

    def dtype_for(self, p: torch.Tensor) -> torch.dtype:
        """Return the dtype of a slot of ``p``: complex for a complex parameter.

        Raises:
            ValueError: if the format has no complex numbers.
        """
        if not p.is_complex():
            return self.dtype
        if self.dtype not in _COMPLEX:
            raise ValueError(f"the format {self.name} has no complex numbers")
        return _COMPLEX[self.dtype]

    def misfit(self, p: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor | None) -> str | None:
        """Say why these cannot be a slot of ``p``, or None if they can."""
        if codes.shape == p.shape:
            return None
        return f"has shape {tuple(codes.shape)}, the parameter has {tuple(p.shape)}"

    def read(self, stored: Stored, compute: torch.dtype) -> torch.Tensor:
        """Return the slot's values."""
        return stored.codes.to(compute)

    def write(self, stored: Stored, values: torch.Tensor, rounding: Rounding, dice: Dice) -> None:
        """Put new values into the slot."""
        rounding.write(stored.codes, values, dice)
