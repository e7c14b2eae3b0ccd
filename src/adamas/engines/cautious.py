"""Makes up for what a cautious rule leaves out of a step: the rest of each tensor moves by as much more.

    lr <- lr / max(share of the elements that move, 1e-3)

That share is known only when all of the step is: so it is computed twice, first to count. Decay is not scaled.

Source: Liang et al. 2024, "Cautious optimizers", arXiv 2411.16085, algorithm 1, with the bound of their published code.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from types import SimpleNamespace

import torch

from adamas.engines.across import Across
from adamas.engines.launch import Item, Launch
from adamas.engines.rows import Rows
from adamas.engines.statistics import read_statistics

_LEAST = 1e-3


def favour(
    launch: Launch,
    items: Sequence[Item],
    grads: Sequence[torch.Tensor],
    rows: Rows,
    row_of: array,
    steps: array,
    across: Across,
) -> None:
    """Give every item a row of its own, with a larger lr; the rule is cautious.

    Args:
        launch: what will step the items.
        items: the items of a batch.
        grads: their gradients.
        rows: the numbers of this step; rows are added.
        row_of: which row each item takes; changed.
        steps: the step each item is at.
        across: adds up what is over pieces.
    """
    for place, reading in enumerate(read_statistics(launch, items, grads, rows, row_of, steps, across)):
        share = reading.sums.moved / max(items[place].numel, 1)
        h, counters = rows.sources[row_of[place]]
        row_of[place] = rows.place(SimpleNamespace(**{**vars(h), "lr": h.lr / max(share, _LEAST)}), counters)
