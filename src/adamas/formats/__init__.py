"""Storage formats of moments: one file each, with its exact code map. ``state_format=`` takes names of `FORMATS`."""

from __future__ import annotations

import torch

from adamas.formats.bfloat16 import BFLOAT16
from adamas.formats.choice import chosen, named, unused
from adamas.formats.float16 import FLOAT16
from adamas.formats.float32 import FLOAT32
from adamas.formats.float64 import FLOAT64
from adamas.formats.format import Format, Plain, Stored
from adamas.formats.int4 import INT4
from adamas.formats.int8 import INT8

FORMATS: dict[str, Format] = {f.name: f for f in (FLOAT32, BFLOAT16, INT8, INT4)}

_PLAIN: dict[torch.dtype, Format] = {f.dtype: f for f in (FLOAT32, BFLOAT16, FLOAT16, FLOAT64)}
_BY_DTYPE: dict[torch.dtype, Format] = {**_PLAIN, torch.int8: INT8, torch.uint8: INT8, torch.int32: INT4}


def format_for(name: str, p: torch.Tensor) -> Format:
    """Return the format called ``name`` for a slot of ``p``; ``auto`` is the parameter's own dtype, as in torch.

    Example:
        >>> format_for("auto", torch.zeros(3)).name
        'float32'
    """
    return _BY_DTYPE[p.dtype.to_real()] if name == "auto" else FORMATS[name]


def format_of(codes: torch.Tensor) -> Format | None:
    """Return the format that a slot is already in, or None if its dtype is no format's."""
    return _BY_DTYPE.get(codes.dtype.to_real() if codes.is_complex() else codes.dtype)


__all__ = ["FORMATS", "INT8", "Format", "Plain", "Stored", "chosen", "format_for", "format_of", "named", "unused"]
