"""``nearest``: round to nearest, ties to even, as torch does.

What goes wrong with 16 bits: an update below half a grain of the weight is lost, every time.
"""

import torch

from adamas.rounding.dice import Dice
from adamas.rounding.rounding import Rounding


class Nearest(Rounding):
    """Round to the nearest number of the target's dtype, ties to even."""

    name = "nearest"

    def write(self, target: torch.Tensor, values: torch.Tensor, dice: Dice, low: torch.Tensor | None = None) -> None:
        """Write ``values`` into ``target``."""
        target.copy_(values)
