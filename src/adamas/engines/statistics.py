"""Statistics of a step, per tensor: what `adamas.doctor` reads. Taken right before the step, of what it will do.

    g  the gradient as the rule sees it        m  the rule's mean of gradients before the step
    u  the rule's step: p <- keep p - u        v  its mean of squared gradients after the step
    x  the weight before the step

Everything is in the type of the computation, as the step itself has it. Sums go as in `adamas.engines.norms`, but the
16 sums of a block too are in that type (good for 5 digits with float32); so they do not depend on threads, instruction
set or engine. (``csrc/stats.h`` is the C++.)
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

import torch

from adamas.engines.across import Across
from adamas.engines.launch import Item, Launch, Look
from adamas.engines.norms import sum_blocks
from adamas.engines.rows import Around, Rows
from adamas.rounding import Dice
from adamas.rules.language import split
from adamas.rules.rule import FirstMoment, SecondMoment

LARGE, TENTH = 0.9, 10.0  # |u| > 0.9 lr is nearly a sign's step; under 10 eps a root is eps's affair
_TINY = 2.0**-126  # float32's smallest normal number: 0 is never divided by 0


class Sums(NamedTuple):
    """Numbers of one tensor in one step.

    Attributes:
        gradient: sum of g^2.
        update: sum of u^2.
        weight: sum of x^2.
        along: sum of g m; 0 if the rule has no m.
        ratio: sum of g^2 / max(v^, eps^2), v^ being v without its start at zero; 0 if the rule has no v.
        second: sum of v.
        moved: number of elements with u != 0.
        large: number with abs(u) > 0.9 lr.
        alive: number with v > 0.
        under: number of those with sqrt(v^) < 10 eps.
        lost: number with u != 0 whose weight is the same after rounding; stochastic rounding loses none of them.
        nonfinite: number of gradients that are infinite or NaN.
        largest: the largest abs(g), NaN apart.
    """

    gradient: float
    update: float
    weight: float
    along: float
    ratio: float
    second: float
    moved: float
    large: float
    alive: float
    under: float
    lost: float
    nonfinite: float
    largest: float


class Reading(NamedTuple):
    """One tensor in one step.

    Attributes:
        item: the parameter.
        step: the step it is at.
        h: its group's hyper-parameters.
        first: what the rule says of m before the step; None if it has none.
        second: what the rule says of v after it; None if it has none.
        sums: the numbers.
    """

    item: Item
    step: float
    h: SimpleNamespace
    first: FirstMoment | None
    second: SecondMoment | None
    sums: Sums


def read_statistics(
    launch: Launch,
    items: Sequence[Item],
    grads: Sequence[torch.Tensor],
    rows: Rows,
    row_of: array,
    steps: array,
    across: Across,
    run: bool = False,
) -> list[Reading]:
    """Return a reading for every item of a launch, of a step that it has not taken yet.

    Args:
        launch: what steps the items.
        items: the items of a batch.
        grads: their gradients.
        rows: the numbers of this step.
        row_of: which row each item takes.
        steps: the step each item is at.
        across: adds up what is over pieces.
        run: whether to take the step, too.
    """
    rule = items[0].rule
    names = [slot.name for slot in rule.slots]
    limits, moments = array("d"), []
    for h, (t, *_) in rows.sources:
        first, second = rule.first_moment(h, t - 1), rule.second_moment(h, t)
        eps = getattr(h, "eps", 0.0)
        limits.extend((LARGE * h.lr, second.unbias if second else 1.0, max(eps**2, _TINY), (TENTH * eps) ** 2))
        moments.append((h, first, second))
    first, second = moments[0][1:]
    look = Look(names.index(first.slot) if first else -1, names.index(second.slot) if second else -1, limits)
    width = len(Sums._fields)
    numbers = across.total(launch.statistics(grads, rows, row_of, steps, look, run), width, largest=width - 1)
    readings = []
    for place, item in enumerate(items):
        h, first, second = moments[row_of[place]]
        sums = Sums(*numbers[width * place : width * (place + 1)])
        readings.append(Reading(item, steps[place], h, first, second, sums))
    return readings


def statistics_of(
    item: Item, grad: torch.Tensor, around: Around, scalars: SimpleNamespace, look: Look, row: int
) -> Sums:
    """Return the numbers of one item as the reference computes them."""
    compute = item.compute
    large, unbias, floor, under = look.limits[4 * row : 4 * row + 4]
    x, raw, *slots = (_in_order(item, each) for each in _read(item, grad))
    g = around.factor * raw if around.factor != 1.0 else raw
    g = g + around.l2 * x if around.l2 != 0.0 else g
    steps, new = split(item.rule.update(g, *slots, scalars))
    y, u = (around.keep * x if around.keep != 1.0 else x), torch.zeros_like(x)
    for each in steps:
        y, u = y - each, u - each
    moved = u != 0
    v = new[look.second] if look.second >= 0 else torch.zeros_like(x)
    mean = v * unbias
    square = g * g
    ratio = square / mean.clamp_min(floor)
    return Sums(
        gradient=_dot(g, g),
        update=_dot(u, u),
        weight=_dot(x, x),
        along=_dot(g, slots[look.first]) if look.first >= 0 else 0.0,
        ratio=_sum(ratio) if look.second >= 0 else 0.0,
        second=_sum(v),
        moved=_count(moved),
        large=_count(u.abs() > torch.tensor(large, dtype=compute)),
        alive=_count(v > 0),
        under=_count((v > 0) & (mean < torch.tensor(under, dtype=compute))),
        lost=_count(moved & (_written(item, y) == x)),
        nonfinite=_count(~raw.isfinite()),
        largest=g.abs().nan_to_num(0.0, torch.inf).max().item() if g.numel() else 0.0,
    )


def _read(item: Item, grad: torch.Tensor) -> list[torch.Tensor]:
    slots = [slot.format.read(slot, item.compute) for slot in item.slots]
    return [item.rounding.read(item.param, item.low, item.compute), grad, *slots]


def _in_order(item: Item, x: torch.Tensor) -> torch.Tensor:
    """Return the elements in the order in which engines walk them: that of the weight's memory, or row-major."""
    order = list(range(item.param.dim()))
    if not any(each.format.blockwise for each in item.slots):
        order.sort(key=lambda d: -item.param.stride(d))
    return x.detach().to(item.compute).permute(order).reshape(-1)


def _written(item: Item, y: torch.Tensor) -> torch.Tensor:
    """Return weights as they would be read again; those of stochastic rounding as computed."""
    if item.rounding.name == "stochastic":
        return y
    stored = torch.empty_like(y, dtype=item.param.dtype)
    low = None if item.low is None else torch.empty_like(y, dtype=item.low.dtype)
    item.rounding.write(stored, y, Dice(0, 0, 0), low)
    return item.rounding.read(stored, low, item.compute)


def _dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum_blocks(torch.mul, [a, b], a.dtype)


def _sum(x: torch.Tensor) -> float:
    return sum_blocks(lambda x: x, [x], x.dtype)


def _count(mask: torch.Tensor) -> float:
    return float(mask.sum().item())
