"""What a rounding is: a way to write values computed in float32 (or float64) into a weight or a moment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch

from adamas.rounding.dice import Dice


class Rounding(ABC):
    """A way to write values into a tensor of fewer bits. For a tensor of as many bits, all are a plain copy."""

    name: ClassVar[str]

    @abstractmethod
    def write(self, target: torch.Tensor, values: torch.Tensor, dice: Dice) -> None:
        """Write ``values`` into ``target``, which has the same shape."""
