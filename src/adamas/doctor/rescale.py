"""From one batch size to another: what learning rate, betas and decay become, so that training stays about the same."""

from __future__ import annotations

import math
from typing import Any

import torch

from adamas.engines.hyper import hyperparameters, surround
from adamas.rules import SGD, Momentum, Nesterov

_PEAKS = ("initial_lr", "max_lr", "min_lr", "swa_lr")  # what schedulers keep in a group


def rescale(optimizer: Any, kappa: float) -> None:
    """Change an optimizer's settings for batches kappa times as large.

    Rules for a run that is far below its noise scale:

        rule                    lr                     memory of moments               decay
        with betas (Adam, ...)  lr sqrt(kappa)   [1]   beta2 -> beta2^kappa      [2]   weight_decay sqrt(kappa)  [3]
        SGD, with momentum      lr kappa         [4]   stays                           stays
        others (RMSprop, ...)   lr sqrt(kappa)   [1]   alpha -> alpha^kappa      [2]   weight_decay sqrt(kappa)  [3]

    [1] Adam's step does not grow with the gradient but its noise shrinks by sqrt(kappa): Malladi et al. 2022, arXiv
        2205.10287.
    [2] The half-life of v stays the same number of examples: Marek et al. 2025, arXiv 2507.07101. beta1 stays: its
        half-life is short against everything else, and nobody has shown that it pays.
    [3] The timescale of decay, 1 / (lr weight_decay) steps, stays the same number of examples: Wang & Aitchison 2024,
        arXiv 2405.13698. Only where decay is decoupled: an L2 term is part of the loss, and stays.
    [4] Goyal et al. 2017, arXiv 1706.02677.

    Caveats. These are rules of thumb for small noise, not laws: past the noise scale a larger batch buys nothing
    whatever the lr is (Shallue et al. 2019, arXiv 1811.03600, find no rule that always holds). Tune lr again where it
    matters. Warm-up and schedules are in steps: divide their lengths by kappa yourself.

    What LR schedulers keep in the groups is changed with it, but not what they keep for themselves (``base_lrs``):
    rescale first, then make the scheduler.

    Args:
        optimizer: one of adamas; its groups are changed, its state is not.
        kappa: how many times larger batches will be; below 1 for smaller ones.

    Raises:
        ValueError: if kappa is not a positive number; nothing was changed then.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = adamas.AdamW([w], lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
        >>> adamas.rescale(optimizer, 4)
        >>> group = optimizer.param_groups[0]
        >>> group["lr"], round(group["betas"][1], 6), group["weight_decay"]
        (0.002, 0.960596, 0.2)
    """
    number = isinstance(kappa, (int, float)) and not isinstance(kappa, bool)
    if not (number and 0 < kappa < math.inf):
        raise ValueError(f"kappa must be a finite number > 0: by how much batches grow; got {kappa!r}")
    for group in optimizer.param_groups:
        _rescale(group, optimizer.rule(group), float(kappa))


def _rescale(group: dict[str, Any], rule: Any, kappa: float) -> None:
    linear = issubclass(rule, (SGD, Momentum, Nesterov))
    by = kappa if linear else math.sqrt(kappa)
    decoupled = surround(hyperparameters(group), rule).l2 == 0.0 and group.get("weight_decay", 0.0)
    for key in ("lr", *_PEAKS):
        if key in group:
            group[key] = _times(group[key], by)
    if linear:
        return
    if decoupled:  # independent decay is a rate per step, whatever the lr
        times = kappa if group["decay_mode"] == "independent" else by
        group["weight_decay"] = _times(group["weight_decay"], times)
    if "betas" in group:
        beta1, beta2 = group["betas"]
        group["betas"] = (beta1, beta2**kappa)
    if "alpha" in group:
        group["alpha"] = group["alpha"] ** kappa


def _times(value: Any, by: float) -> Any:
    """Multiply a number; a tensor where it is, so that whoever holds it sees it."""
    if isinstance(value, torch.Tensor):
        return value.mul_(by)
    return value * by
