"""Ways to write a weight or a moment: one file each. ``rounding=`` takes the names in `ROUNDINGS`."""

from __future__ import annotations

import torch

from adamas.rounding.dice import Dice, stream_key
from adamas.rounding.nearest import Nearest
from adamas.rounding.rounding import Rounding
from adamas.rounding.stochastic import Stochastic

ROUNDINGS: dict[str, Rounding] = {r.name: r for r in (Nearest(), Stochastic())}

_SHORT = (torch.bfloat16, torch.float16)


def rounding_for(name: str, dtypes: list[torch.dtype]) -> Rounding:
    """Return the rounding called ``name``; ``auto`` is stochastic where a weight or a moment has 16 bits.

    Example:
        >>> rounding_for("auto", [torch.float32, torch.bfloat16]).name
        'stochastic'
    """
    if name == "auto":
        name = "stochastic" if any(dtype in _SHORT for dtype in dtypes) else "nearest"
    return ROUNDINGS[name]


__all__ = ["ROUNDINGS", "Dice", "Rounding", "rounding_for", "stream_key"]
