"""State dicts for torch.optim. The other way needs nothing: ``load_state_dict`` reads torch's as they are."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch

from adamas.hyperparameters import EXTRAS
from adamas.rules import Rule
from adamas.shards import Cut, local, piece_of
from adamas.slots import scale_key, values_of

# What torch's class of the same name may not have, and the value with which it steps alike.
_VARIANTS = {"eps_mode": "add", "cautious": False, "nesterov": False}


def to_torch(optimizer: Any) -> dict[str, Any]:
    """Return the optimizer's state as torch's class of the same name would have saved it.

    Every number is the same to the bit; what torch has no word for (engine, formats, seed) is left out. Moments keep
    their dtype; torch's ``load_state_dict`` then casts them to that of the parameter.

    Args:
        optimizer: one of the optimizers of `adamas` that `torch.optim` has too.

    Raises:
        TypeError: if torch has no such class.
        ValueError: if torch cannot decay the weights, or step, as a group asks for.

    Example:
        >>> import adamas
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> ours = adamas.AdamW([w], state_format="bfloat16")
        >>> w.grad = torch.ones(2); ours.step()
        >>> theirs = torch.optim.AdamW([w])
        >>> theirs.load_state_dict(to_torch(ours))
        >>> theirs.state[w]["step"]
        tensor(1.)
    """
    cls = next((c for c in type(optimizer).__mro__ if c.__module__.startswith("adamas.optimizers.")), type(optimizer))
    if not hasattr(torch.optim, cls.__name__):
        raise TypeError(f"torch.optim has no {cls.__name__}")
    packed = optimizer.state_dict()
    known = signature(getattr(torch.optim, cls.__name__)).parameters
    ours = {key: plain for key, plain in _VARIANTS.items() if key not in known}
    state = {}
    for number, (group, saved) in enumerate(zip(optimizer.param_groups, packed["param_groups"], strict=True)):
        _check_decay(number, group)
        _check_variant(number, group, ours)
        rule = optimizer.rule(group)
        for key, p in zip(saved["params"], group["params"], strict=True):
            if key in packed["state"]:
                state[key] = _plain(p, packed["state"][key], rule, optimizer._how(p))
    return {
        "state": {key: value for key, value in state.items() if value},
        "param_groups": [
            {key: value for key, value in group.items() if key not in EXTRAS and key not in ours}
            for group in packed["param_groups"]
        ],
    }


def _plain(p: torch.Tensor, state: dict[str, Any], rule: type[Rule], cut: Cut | None) -> dict[str, Any]:
    """Return the counters and slots of a state, codes as the numbers that they stand for."""
    plain = {}
    for counter in rule.counters:
        if counter.stored and counter.name in state:
            plain[counter.name] = state[counter.name].detach().clone()
    for slot in rule.slots:
        if state.get(slot.name) is not None:
            codes, scale = local(state[slot.name]), local(state.get(scale_key(slot.name)))
            values = values_of(piece_of(p, cut), slot, codes, scale).detach().clone()
            plain[slot.name] = values if cut is None else cut.wrap(values, cut.shape)
    return plain


def _check_decay(number: int, group: dict[str, Any]) -> None:
    mode = group.get("decay_mode", "auto")
    told = group.get("decoupled_weight_decay", False)
    if group.get("weight_decay") and mode != "auto" and mode != ("decoupled" if told else "l2"):
        raise ValueError(
            f"group {number} decays its weights with decay_mode={mode!r}, which torch's class cannot do here; "
            f"set weight_decay or decay_mode of the group first"
        )


def _check_variant(number: int, group: dict[str, Any], ours: dict[str, Any]) -> None:
    for key, plain in ours.items():
        if group.get(key, plain) != plain:
            raise ValueError(
                f"group {number} has {key}={group[key]!r}, which torch's class cannot do; set {key}={plain!r} first if "
                f"its moments are all you need"
            )
