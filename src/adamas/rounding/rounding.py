"""What a rounding is: a way to write values computed in float32 (or float64) into a weight or a moment."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from adamas.rounding.dice import Dice

# Where in a parameter's state the bits are that its own dtype has no room for.
LOW = "weight_low"


class Rounding(ABC):
    """A way to write values into a tensor of fewer bits. For a tensor of as many bits, all are a plain copy.

    Attributes:
        name: what ``rounding=`` calls it.
        low: dtype of a second tensor with more bits of the weight, or None.
    """

    name: str
    low: torch.dtype | None = None

    @property
    def moments(self) -> Rounding:
        """How moments are written where weights are written this way."""
        return self

    def read(self, weight: torch.Tensor, low: torch.Tensor | None, compute: torch.dtype) -> torch.Tensor:
        """Return the weight's values."""
        return weight.to(compute)

    @abstractmethod
    def write(self, target: torch.Tensor, values: torch.Tensor, dice: Dice, low: torch.Tensor | None = None) -> None:
        """Write ``values`` into ``target``, which has the same shape, and the bits below it into ``low``."""
