"""The reference engine: rules run on torch tensors, one parameter at a time, on any device and in any dtype.

It defines the numbers; the others must match it. Every operation is one correctly rounded torch operation.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from types import SimpleNamespace

import torch

from adamas.engines.launch import Item, Look, as_real
from adamas.engines.norms import sum_blocks
from adamas.engines.rows import Around, Rows
from adamas.engines.statistics import statistics_of
from adamas.rounding import Dice
from adamas.rules.language import split


class ReferenceLaunch:
    """Items stepped one after another in eager PyTorch."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items

    def run(
        self,
        grads: Sequence[torch.Tensor],
        rows: Rows,
        row_of: array,
        steps: array,
    ) -> None:
        """Take one step for every item."""
        for item, grad, row, step in zip(self.items, grads, row_of, steps, strict=True):
            step_item(item, as_real(grad), *rows.row(row), int(step), item.index())

    def ratios(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, slot: int, moments: array
    ) -> array:
        """Return the sum of g^2 / max(v, floor) of every item."""
        sums = array("d")
        for item, grad, row in zip(self.items, grads, row_of, strict=True):
            around, _ = rows.row(row)
            sums.append(_sum_ratios(item, as_real(grad), around, slot, moments[4 * row : 4 * row + 4]))
        return sums

    def statistics(
        self, grads: Sequence[torch.Tensor], rows: Rows, row_of: array, steps: array, look: Look, run: bool
    ) -> Sequence[float]:
        """Return the numbers of every item; and take the step, if that is asked for."""
        numbers: list[float] = []
        for item, grad, row in zip(self.items, grads, row_of, strict=True):
            numbers.extend(statistics_of(item, as_real(grad), *rows.row(row), look, row))
        if run:
            self.run(grads, rows, row_of, steps)
        return numbers


def _sum_ratios(item: Item, grad: torch.Tensor, around: Around, slot: int, moment: array) -> float:
    decay, take, unbias, floor = moment

    def ratio(x: torch.Tensor, g: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        g = _seen(around, x, g)
        square = g * g
        mean = (decay * v + take * square) * unbias
        return torch.where(square == 0, 0.0, square / mean.clamp_min(floor))

    order = list(range(item.param.dim()))
    if not any(each.format.blockwise for each in item.slots):
        order.sort(key=lambda d: -item.param.stride(d))  # the weight's memory
    stored = item.slots[slot]
    weight = item.rounding.read(item.param, item.low, item.compute)
    read = (weight, grad, stored.format.read(stored, item.compute))
    return sum_blocks(ratio, [x.detach().to(item.compute).permute(order).reshape(-1) for x in read])


def _seen(around: Around, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Return the gradient as the rule sees it: factor g + l2 x."""
    if around.factor != 1.0:
        g = around.factor * g
    return g + around.l2 * x if around.l2 != 0.0 else g


def step_item(
    item: Item,
    grad: torch.Tensor,
    around: Around,
    scalars: SimpleNamespace,
    step: int,
    index: torch.Tensor | None = None,
) -> None:
    """Step one parameter: read its slots, apply decay and the rule, round, write.

    Args:
        item: the parameter, or some rows of one.
        grad: its gradient.
        around: what is done around the rule.
        scalars: the rule's.
        step: the key of random numbers.
        index: the elements' row-major index, if it is not 0, 1, ...
    """
    compute = item.compute
    x = item.rounding.read(item.param, item.low, compute)
    g = _seen(around, x, grad.to(compute))
    formats = [slot.format for slot in item.slots]
    # A differentiable step must not overwrite what autograd has saved, so it reads copies.
    read = [slot.clone() for slot in item.slots] if torch.is_grad_enabled() else item.slots
    values = [form.read(slot, compute) for form, slot in zip(formats, read, strict=True)]
    steps, new = split(item.rule.update(g, *values, scalars))
    y = around.keep * x if around.keep != 1.0 else x
    for u in steps:
        y = y - u
    if not torch.is_grad_enabled():
        y = torch.where(y == x, x, y)  # a step of nothing keeps every bit, of -0 too
    item.rounding.write(item.param, y, Dice(item.stream, step, 0, index), item.low)
    for place, (form, slot, value) in enumerate(zip(formats, item.slots, new, strict=True)):
        form.write(slot, value, item.rounding.moments, Dice(item.stream, step, 2 + place, index))
