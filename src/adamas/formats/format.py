"""What a format is: a way to keep a moment in memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from adamas.rounding import Dice, Rounding

_COMPLEX = {torch.float16: torch.complex32, torch.float32: torch.complex64, torch.float64: torch.complex128}


@dataclass(frozen=True)
class Format:
    """A format that stores every element as one number of ``dtype``.

    Attributes:
        name: what ``state_format=`` calls it.
        dtype: the dtype of the stored tensor.
    """

    name: str
    dtype: torch.dtype

    def allocate(self, p: torch.Tensor, start: float) -> torch.Tensor:
        """Return a new slot of the shape, device and memory order of ``p``, filled with ``start``."""
        value = complex(start, start) if p.is_complex() else start
        return torch.full_like(p, value, dtype=self.dtype_for(p), memory_format=torch.preserve_format)

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

    def read(self, stored: torch.Tensor, compute: torch.dtype) -> torch.Tensor:
        """Return the slot's values in the dtype that the rule computes in."""
        return stored.to(compute)

    def write(self, stored: torch.Tensor, values: torch.Tensor, rounding: Rounding, dice: Dice) -> None:
        """Put new values into the slot."""
        rounding.write(stored, values, dice)
