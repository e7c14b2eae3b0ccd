"""What compiled engines have in common: how they know rules and kinds of numbers, and what none of them can step.

The numbers of rules and kinds are those of the C ABI.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Container

import torch

from adamas.engines.launch import Item
from adamas.engines.layout import is_blockwise, merged_dims, operands_of
from adamas.engines.library import DTYPES, MAX_DIMS
from adamas.formats import Stored
from adamas.rules import COMPILED, Rule

RULES: dict[type[Rule], int] = {rule: number for number, rule in enumerate(COMPILED)}

# Codes of slots by (dtype, whether the slot has signs).
_CODES = {(torch.int8, True): 4, (torch.uint8, False): 5, (torch.int32, True): 6, (torch.int32, False): 7}


def kind_of(slot: Stored) -> int | None:
    """Return the number of how a slot is stored, or None if compiled engines do not know it."""
    codes = slot.codes.dtype
    return _CODES.get((codes, slot.signed)) if slot.format.blockwise else DTYPES.get(codes)


@functools.cache
def triton_installed() -> bool:
    """Say whether Triton is there."""
    return importlib.util.find_spec("triton") is not None


def misfit(item: Item, grad: torch.Tensor, without: Container[torch.dtype] = ()) -> str | None:
    """Say why no compiled engine can step the item, wherever it is, or None.

    Args:
        item: what is to be stepped.
        grad: its gradient.
        without: dtypes of the C ABI that this engine does not have.
    """
    kind = type(item.owner if item.cut is None else item.param)
    if kind not in (torch.Tensor, torch.nn.Parameter):
        return f"it is a {kind.__name__}"
    dtypes = [item.param.dtype, *(slot.codes.dtype for slot in item.slots)]
    known = item.param.dtype in DTYPES and all(kind_of(slot) is not None for slot in item.slots)
    if not known or any(dtype in without for dtype in dtypes):
        return f"its dtypes are {', '.join(map(str, dtypes))}"
    if torch.is_grad_enabled():
        return "the step is to be differentiable"
    if torch._debug_has_internal_overlap(item.param) == 1:
        return "its elements share memory"
    index = item.origin[1] if item.origin else None
    if len(merged_dims(operands_of(item, grad), is_blockwise(item), index)) > MAX_DIMS:
        return f"it has more than {MAX_DIMS} dimensions"
    return None
