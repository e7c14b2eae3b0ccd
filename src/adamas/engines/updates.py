"""Clips updates by their size: a tensor whose gradient is large beside its own history steps by as much less.

    RMS = sqrt(mean(g^2 / max(v, eps^2))),  lr <- lr / max(1, RMS / clip_update),  decay by lr included

with v the running mean of g^2, bias-corrected where the rule does so, *after* this gradient has entered it. So it is
another read of gradient and v before the step, and no memory. In a healthy run RMS is about 1; it jumps when the
gradients grow faster than v can follow.

Source: Wortsman et al. 2023, "Stable and low-precision training for large-scale vision-language models", arXiv
2304.13013, algorithm 2 (StableAdamW), where clip_update is 1.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from types import SimpleNamespace

import torch

from adamas.engines.across import Across
from adamas.engines.hyper import surround
from adamas.engines.launch import Item, Launch
from adamas.engines.rows import Rows


def clip_updates(
    launch: Launch,
    items: Sequence[Item],
    grads: Sequence[torch.Tensor],
    rows: Rows,
    row_of: array,
    steps: array,
    across: Across,
) -> array:
    """Give every item whose update would be too large a row of its own, with a smaller lr.

    Args:
        launch: what will step the items.
        items: the items of a batch.
        grads: their gradients.
        rows: the numbers of this step; rows are added.
        row_of: which row each item takes; changed where an item is clipped.
        steps: the step each item is at.
        across: adds up what is over pieces.

    Returns:
        RMS of every item; NaN where its group does not clip.
    """
    sources = rows.sources[:]
    rule = items[0].rule
    moments, slot = array("d"), 0
    for h, counters in sources:
        mean = rule.second_moment(h, counters[0])
        if mean is None:
            raise ValueError(refusal(rule.__name__))
        slot = [each.name for each in rule.slots].index(mean.slot)
        moments.extend((mean.decay, 1 - mean.decay, mean.unbias, h.eps**2))
    sums = across.total(launch.ratios(grads, rows, row_of, steps, slot, moments))
    result = array("d", [math.nan]) * len(items)
    for place, item in enumerate(items):
        h, counters = sources[row_of[place]]
        most = threshold(h)
        if most is None:
            continue
        rms = result[place] = math.sqrt(sums[place] / max(item.numel, 1))
        if rms > most:
            slower = SimpleNamespace(**{**vars(h), "lr": h.lr / (rms / most)})
            row_of[place] = rows.place(surround(slower, rule), counters)
    return result


def threshold(h: SimpleNamespace) -> float | None:
    """Return the RMS beyond which a group's updates are clipped."""
    return getattr(h, "clip_update", None)


def refusal(rule: str) -> str:
    """Say why a rule's updates cannot be clipped."""
    return (
        f"clip_update needs a running mean of squared gradients, and {rule} keeps none: use it with Adam, AdamW, "
        f"NAdam, RAdam or RMSprop, or use clip_norm"
    )
