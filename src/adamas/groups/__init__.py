"""Parameter groups of a model: what decays and what does not, layer by layer, and exceptions by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from adamas.groups.deciding import Parameter, check_patterns, matches, parameters, why_no_decay
from adamas.groups.layers import depths
from adamas.groups.table import Fate, ParamGroups

__all__ = ["Fate", "ParamGroups", "param_groups"]


def param_groups(
    model: torch.nn.Module,
    weight_decay: float,
    no_decay: str | Sequence[str] = "auto",
    *,
    lr: float | None = None,
    layer_decay: float | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> ParamGroups:
    """Return parameter groups for an optimizer, with names; ``print`` shows what becomes of every parameter and why.

    Parameters that do not require gradients are left out; tied weights are in once, and exempt from decay if any of
    their places is. Groups of equal settings are one.

    Args:
        model: any module.
        weight_decay: of what decays, >= 0, as the optimizer takes it.
        no_decay: what does not decay. ``auto``: biases, all of fewer than 2 dimensions, and what belongs to
            norms and embeddings, by the type of their module or by name (``pos_embed``, ``cls_token``, ...). Or
            patterns of names of parameters or modules, ``["*.bias", "encoder.norm"]``; an empty list: all decays.
        lr: step size of the last layer; needed for ``layer_decay``, otherwise the optimizer's.
        layer_decay: factor in (0, 1] of lr from each layer to the one before it; embeddings are before the first.
        overrides: settings by pattern, ``{"*.head": {"lr": 1e-3}}``; where several patterns fit, the last wins.

    Raises:
        ValueError: for a number out of its range, a pattern that fits nothing, or ``layer_decay`` without lr.

    References:
        layer_decay: Clark et al. 2020 (ELECTRA), arXiv 2003.10555; Bao et al. 2022 (BEiT), arXiv 2106.08254.

    Example:
        >>> import torch, adamas
        >>> model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 9))
        >>> groups = adamas.param_groups(model, weight_decay=0.1, overrides={"2": {"lr": 0.01}})
        >>> print(groups)
        group  parameter  shape  settings                   why
        -----  ---------  -----  -------------------------  ------------------------------------
        0      0.weight   9 x 4  weight_decay=0             embedding (Embedding)
        1      1.weight   4 x 4  weight_decay=0.1           decays
        0      1.bias     4      weight_decay=0             name matches *bias*
        2      2.weight   9 x 4  weight_decay=0.1, lr=0.01  decays; overridden by 2
        3      2.bias     9      weight_decay=0, lr=0.01    name matches *bias*; overridden by 2
        <BLANKLINE>
        5 parameters in 4 groups; 52 of 101 numbers decay
        >>> optimizer = adamas.AdamW(groups, lr=0.001)
        >>> optimizer.param_groups[0]["param_names"]
        ['0.weight', '1.bias']
    """
    overrides = overrides or {}
    _check(weight_decay, no_decay, lr, layer_decay, overrides)
    params = parameters(model)
    check_patterns(params, [] if isinstance(no_decay, str) else no_decay, "no_decay")
    check_patterns(params, overrides, "overrides")
    deep = depths(model, params) if layer_decay is not None else [0] * len(params)
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    fates = []
    for p, depth in zip(params, deep, strict=True):
        name = p.name + "".join(f" = {place.name}" for place in p.places[1:])
        if not p.tensor.requires_grad:
            fates.append(Fate(name, tuple(p.tensor.shape), None, {}, "left out: requires no gradient"))
            continue
        factor = 1.0 if layer_decay is None else layer_decay ** (max(deep) - depth)
        settings, why = _settings(p, weight_decay, no_decay, None if lr is None else lr * factor, overrides)
        key = tuple(sorted((word, repr(value)) for word, value in settings.items()))
        group = groups.setdefault(key, {"params": [], **settings})
        group["params"].append((p.name, p.tensor))
        layer = f"; layer {depth}" if layer_decay is not None else ""
        fates.append(Fate(name, tuple(p.tensor.shape), list(groups).index(key), settings, why + layer))
    return ParamGroups(list(groups.values()), fates)


def _settings(
    p: Parameter,
    weight_decay: float,
    no_decay: str | Sequence[str],
    lr: float | None,
    overrides: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], str]:
    """Return a parameter's settings and what decided them."""
    why = why_no_decay(p, no_decay)
    settings: dict[str, Any] = {"weight_decay": 0.0 if why else weight_decay}
    if lr is not None:
        settings["lr"] = lr
    why = why or "decays"
    for pattern, changes in overrides.items():
        if any(matches(place.name, pattern) for place in p.places):
            settings.update(changes)
            why += f"; overridden by {pattern}"
    return settings, why


def _check(
    weight_decay: float,
    no_decay: str | Sequence[str],
    lr: float | None,
    layer_decay: float | None,
    overrides: Mapping[str, Mapping[str, Any]],
) -> None:
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be >= 0, got {weight_decay}")
    if isinstance(no_decay, str) and no_decay != "auto":
        raise ValueError(f"no_decay must be 'auto' or a list of patterns, got {no_decay!r}")
    if layer_decay is not None and not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay must be in (0, 1], got {layer_decay}")
    if layer_decay is not None and lr is None:
        raise ValueError("layer_decay scales the learning rate of every layer: give lr, that of the last one")
    for pattern, changes in overrides.items():
        for key in ("params", "param_names"):
            if key in changes:
                raise ValueError(f"overrides[{pattern!r}] must not name {key!r}: it changes settings, not members")
