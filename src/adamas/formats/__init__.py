"""Storage formats of moments: one file each, with its exact code map. ``state_format=`` takes names of `FORMATS`."""

from __future__ import annotations

import torch

from adamas.formats.bfloat16 import BFLOAT16
from adamas.formats.float16 import FLOAT16
from adamas.formats.float32 import FLOAT32
from adamas.formats.float64 import FLOAT64
from adamas.formats.format import Format

FORMATS: dict[str, Format] = {f.name: f for f in (FLOAT32, BFLOAT16)}

_BY_DTYPE = {f.dtype: f for f in (FLOAT32, BFLOAT16, FLOAT16, FLOAT64)}


def format_for(name: str, p: torch.Tensor) -> Format:
    """Return the format called ``name`` for a slot of ``p``; ``auto`` is the parameter's own dtype, as in torch.

    Example:
        >>> format_for("auto", torch.zeros(3)).name
        'float32'
    """
    return _BY_DTYPE[p.dtype.to_real()] if name == "auto" else FORMATS[name]


def format_of(stored: torch.Tensor) -> Format:
    """Return the format that a slot is already in."""
    return _BY_DTYPE[stored.dtype.to_real()]


__all__ = ["FORMATS", "Format", "format_for", "format_of"]
