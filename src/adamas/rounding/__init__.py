"""Ways to write a weight or a moment: one file each. ``rounding=`` takes the names in `ROUNDINGS`."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from adamas.rounding.dice import Dice, stream_key
from adamas.rounding.nearest import Nearest
from adamas.rounding.rounding import LOW, Rounding
from adamas.rounding.split import Split
from adamas.rounding.stochastic import Stochastic

ROUNDINGS: dict[str, Rounding] = {
    r.name: r for r in (Nearest(), Stochastic(), Split("split24", torch.int8), Split("split32", torch.int16))
}

_SHORT = (torch.bfloat16, torch.float16)


def rounding_for(name: str, weight: torch.dtype, slots: Iterable[torch.dtype]) -> Rounding:
    """Return the rounding called ``name``.

    ``auto`` is stochastic where a weight or a moment has 16 bits. The split roundings are for 16-bit weights; for
    others they are ``auto``.

    Args:
        name: one of `ROUNDINGS`, or ``auto``.
        weight: dtype of the weight, as real numbers.
        slots: dtypes of its moments that are not codes, likewise.

    Example:
        >>> rounding_for("auto", torch.float32, [torch.bfloat16]).name
        'stochastic'
        >>> rounding_for("split24", torch.float32, [torch.float32]).name
        'nearest'
    """
    if name.startswith("split") and weight not in _SHORT:
        name = "auto"
    if name == "auto":
        short = weight in _SHORT or any(dtype in _SHORT for dtype in slots)
        name = "stochastic" if short else "nearest"
    return ROUNDINGS[name]


__all__ = ["LOW", "ROUNDINGS", "Dice", "Rounding", "rounding_for", "stream_key"]
