"""Numbers by which compiled engines know rules and how numbers are stored; those of the C ABI."""

from __future__ import annotations

import torch

from adamas.engines.library import DTYPES
from adamas.formats import Stored
from adamas.rules import COMPILED, Rule

RULES: dict[type[Rule], int] = {rule: number for number, rule in enumerate(COMPILED)}

# Codes of slots by (dtype, whether the slot has signs).
_CODES = {(torch.int8, True): 4, (torch.uint8, False): 5, (torch.int32, True): 6, (torch.int32, False): 7}


def kind_of(slot: Stored) -> int | None:
    """Return the number of how a slot is stored, or None if compiled engines do not know it."""
    codes = slot.codes.dtype
    return _CODES.get((codes, slot.signed)) if slot.format.blockwise else DTYPES.get(codes)
