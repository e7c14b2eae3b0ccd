"""The compiled CPU engine: one C call steps all tensors of a launch, whatever group they are in."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from ctypes import c_void_p

import torch
from torch.autograd.graph import increment_version

from adamas.engines import library
from adamas.engines.kinds import RULES, kind_of, misfit
from adamas.engines.launch import Item, Look, as_real
from adamas.engines.layout import describe, is_blockwise, operands_of
from adamas.engines.norms import first_blocks
from adamas.engines.objects import addresses
from adamas.engines.rows import Rows
from adamas.formats.blocks import rows_of

NO_LIBRARY = "the compiled library is not available"
REFUSED = "the compiled library refused the launch: it and the package are of different versions"

_LOW = {torch.int8: 4, torch.int16: 8}  # codes of the bits below a weight
_ROUNDINGS = {"nearest": 0, "stochastic": 1, "split24": 2, "split32": 2}


def refuse(item: Item, grad: torch.Tensor) -> str | None:
    """Say why this engine cannot step the item, or None if it can."""
    if item.rule not in RULES:
        return f"the rule {item.rule.__name__} is not compiled"
    if item.param.device.type != "cpu":
        return f"it is on {item.param.device}"
    why = misfit(item, grad)
    if why is not None:
        return why
    return NO_LIBRARY if library.load() is None else None


class CpuLaunch:
    """Items stepped by one call of ``adamas_step``.

    Args:
        items: parameters of one rule, one set of dtypes and one rounding.
        grads: their gradients now; later ones must have the same strides.

    Attributes:
        struct: the launch as the library has it.
    """

    def __init__(self, items: Sequence[Item], grads: Sequence[torch.Tensor]) -> None:
        self.items = items
        loaded = library.load()
        if loaded is None:
            raise RuntimeError(NO_LIBRARY)
        self._call, self._sum_ratios = loaded.adamas_step, loaded.adamas_ratios
        self._look = loaded.adamas_statistics
        self._written = [item.owner for item in items]
        # A lazily conjugated or negated gradient has other numbers in memory than it stands for.
        self._lazy = any(grad.is_conj() or grad.is_neg() for grad in grads)
        self._keep: list[object] = []  # what the struct points to
        self._describe(items, grads)

    def _describe(self, items: Sequence[Item], grads: Sequence[torch.Tensor]) -> None:
        """Fill in everything that does not change from step to step."""
        first, struct = items[0], library.LaunchStruct()
        numels = [item.param.numel() for item in items]
        blocks = first_blocks(numels)
        indexed = first.rounding.name != "nearest"
        blockwise = is_blockwise(first)
        origins = [item.origin or (0, None) for item in items]
        layouts = [
            describe(operands_of(item, as_real(grad)), len(item.slots), blockwise, indexed, index)
            for item, grad, (_, index) in zip(items, grads, origins, strict=True)
        ]
        self._keep.append(layouts)
        struct.rule = RULES[first.rule]
        struct.compute = library.DTYPES[first.compute]
        struct.rounding = _ROUNDINGS[first.rounding.name]
        struct.tensors = len(items)
        struct.numel = self._pin(array("q", numels))
        struct.first_block = self._pin(blocks)
        self._blocks = blocks[-1]
        struct.layout = self._pin(array("Q", [ctypes.addressof(x) if x else 0 for x in layouts]))
        struct.stream = self._pin(array("Q", [item.stream for item in items]))
        if any(start for start, _ in origins):
            struct.origin = self._pin(array("q", [start for start, _ in origins]))
        struct.dtype[0] = struct.dtype[1] = library.DTYPES[first.param.dtype]
        struct.operand[0] = self._addresses([item.param for item in items])  # the gradients' are new in every step
        for place, slots in enumerate(zip(*(item.slots for item in items), strict=True)):
            struct.dtype[2 + place] = kind_of(slots[0])
            struct.operand[2 + place] = self._addresses([slot.codes for slot in slots])
            if slots[0].scale is not None:
                struct.scale[place] = self._addresses([slot.scale for slot in slots if slot.scale is not None])
        if first.low is not None:
            struct.dtype[library.LOW] = _LOW[first.low.dtype]
            struct.operand[library.LOW] = self._addresses([item.low for item in items if item.low is not None])
        if blockwise:
            struct.row_length = self._pin(array("q", [max(1, rows_of(item.param.shape)[1]) for item in items]))
        self.struct = struct

    def _addresses(self, tensors: Sequence[torch.Tensor]) -> int:
        return self._pin(addresses(list(tensors)))

    def _pin(self, values: array) -> int:
        self._keep.append(values)
        return values.buffer_info()[0]

    def run(
        self,
        grads: Sequence[torch.Tensor],
        rows: Rows,
        row_of: array,
        steps: array,
    ) -> None:
        """Take one step for every item, in one call."""
        kept = self.aim(grads, rows, row_of, steps)
        # What autograd saved of these tensors is stale now: the same notice as torch's in-place operations give.
        # Given before the call, while the tensor objects are still in the cache that the call will fill with numbers,
        # and for the weights only: a thousand tensors cost a tenth of a millisecond, with moments four times that.
        increment_version(self._written)
        if self._call(self.struct) != 0:
            raise RuntimeError(REFUSED)
        del kept

    def ratios(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, slot: int, moments: array
    ) -> array:
        """Return the sum of g^2 / max(v, floor) of every item, in one call."""
        kept = self.aim(grads, rows, row_of, steps)
        partial = array("d", bytes(8 * self._blocks))
        sums = array("d", bytes(8 * len(self.items)))
        addresses = (each.buffer_info()[0] for each in (moments, partial, sums))
        if self._sum_ratios(self.struct, slot, *addresses) != 0:
            raise RuntimeError(REFUSED)
        del kept
        return sums

    def statistics(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, look: Look, run: bool
    ) -> Sequence[float]:
        """Return the numbers of every item, in one call; and take the step, if that is asked for."""
        kept = self.aim(grads, rows, row_of, steps)
        partial = array("d", bytes(8 * library.STATISTICS * self._blocks))
        numbers = array("d", bytes(8 * library.STATISTICS * len(self.items)))
        limits, *addresses = (each.buffer_info()[0] for each in (look.limits, partial, numbers))
        if run:
            increment_version(self._written)
        if self._look(self.struct, limits, int(run), *addresses) != 0:
            raise RuntimeError(REFUSED)
        del kept
        return numbers

    def aim(self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array) -> object:
        """Point the launch at what is new in this step; what is returned must outlive the call."""
        if self._lazy:
            grads = [as_real(grad) for grad in grads]
        pointers = addresses(list(grads))
        self.struct.operand[1] = c_void_p(pointers.buffer_info()[0])
        self.number(rows, row_of, steps)
        return pointers, grads

    def number(self, rows: Rows, row_of: array, steps: array) -> None:
        """Point the launch at the numbers of this step; they must outlive the call."""
        struct = self.struct
        struct.scalars_per_row, struct.scalars = rows.width, rows.numbers.buffer_info()[0]
        struct.row, struct.step = row_of.buffer_info()[0], steps.buffer_info()[0]
        struct.threads = torch.get_num_threads()
