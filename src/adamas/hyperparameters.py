"""Checks hyper-parameters before anything is built on them: torch's messages where torch has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

from adamas.engines.hyper import DECAY_MODES, PACED
from adamas.engines.select import ENGINES
from adamas.engines.updates import refusal
from adamas.formats import FORMATS, named
from adamas.rounding import ROUNDINGS
from adamas.rules import Rule

# What the optimizer itself puts into every group.
EXTRAS: dict[str, Any] = {
    "decay_mode": "auto",
    "engine": "auto",
    "state_format": "auto",
    "rounding": "auto",
    "seed": 0,
    "clip_update": None,
    "sparse": "lazy",
    "row_steps": False,
}

# What else may stand in a group: torch's own keys, those of its LR schedulers, and a name for the group.
_TOLERATED = (
    "params",
    "param_names",
    "name",
    "initial_lr",
    "max_lr",
    "min_lr",
    "swa_lr",
    "base_momentum",
    "max_momentum",
)

_NAMES = {
    "decay_mode": DECAY_MODES,
    "engine": ENGINES,
    "state_format": tuple(FORMATS),
    "rounding": tuple(ROUNDINGS),
    "sparse": ("lazy", "exact"),
}

_NOT_NEGATIVE = {
    "lr": "learning rate",
    "eps": "epsilon value",
    "momentum": "momentum value",
    "weight_decay": "weight_decay value",
    "alpha": "alpha value",
    "lr_decay": "lr_decay value",
    "momentum_decay": "momentum_decay value",
    "initial_accumulator_value": "initial_accumulator_value value",
}


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a hint that names the word that was probably meant, or nothing.

    Example:
        >>> nearest("weigth_decay", ["lr", "weight_decay"])
        "; did you mean 'weight_decay'?"
    """
    import difflib  # an error is on its way: only now

    lowered = {each.lower(): each for each in words}
    close = difflib.get_close_matches(word.lower(), lowered, n=1)
    return f"; did you mean {lowered[close[0]]!r}?" if close else ""


def check_keywords(given: Iterable[str], known: Iterable[str], who: str) -> None:
    """Raise TypeError for a keyword that ``who`` does not take."""
    known = list(known)
    for word in given:
        if word not in known:
            raise TypeError(f"{who} got an unexpected keyword argument {word!r}{nearest(word, known)}")


def check_group_keys(group: dict[str, Any], known: Iterable[str]) -> None:
    """Raise ValueError for a key that nothing would read: torch would silently train without it."""
    known = list(known)
    for key in group:
        if key not in known and key not in _TOLERATED:
            raise ValueError(
                f"unknown key {key!r} in a parameter group{nearest(key, known)} "
                f"Known are {', '.join(known)}. (To keep something of your own with a group, "
                f"put it into optimizer.param_groups[i] after the optimizer is made.)"
            )


def check_values(group: dict[str, Any]) -> None:
    """Raise ValueError for a value that is not a number, not finite or out of its range."""
    _check_lr(group["lr"])
    for key, words in _NOT_NEGATIVE.items():
        if key in group and not _in_range(group[key], lambda x: x >= 0):
            raise ValueError(f"Invalid {words}: {group[key]}")
    if "dampening" in group and not _in_range(group["dampening"], lambda x: True):
        raise ValueError(f"Invalid dampening value: {group['dampening']}")
    if "betas" in group:
        if len(group["betas"]) != 2:
            raise ValueError(f"betas must be a pair (beta1, beta2), got {group['betas']!r}")
        for index, beta in enumerate(group["betas"]):
            if not _in_range(beta, lambda x: 0 <= x < 1):
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
    _check_choices(group)


def remember_max_lr(group: dict[str, Any]) -> None:
    """Put into a group the lr that its decay is measured by, if it is measured by one and the group does not say.

    Example:
        >>> group = {"lr": 0.5, "decay_mode": "scheduled"}
        >>> remember_max_lr(group)
        >>> group["max_lr"]
        0.5
    """
    if group["decay_mode"] in PACED and "max_lr" not in group:
        group["max_lr"] = float(group["lr"])


def check_threshold(name: str, value: Any) -> None:
    """Raise ValueError unless the value is None or a finite number above 0."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and 0 < value < math.inf):
        raise ValueError(f"{name} must be None or a finite number > 0, got {value!r}")


def check_clip_update(group: dict[str, Any], rule: type[Rule]) -> None:
    """Raise ValueError if a group's updates are to be clipped and cannot be."""
    check_threshold("clip_update", group["clip_update"])
    if group["clip_update"] is not None and rule.second_moment is Rule.second_moment:
        raise ValueError(refusal(rule.__name__))


def _check_lr(lr: Any) -> None:
    if isinstance(lr, torch.Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def _in_range(value: Any, test: Callable[[float], bool]) -> bool:
    return math.isfinite(float(value)) and test(float(value))


def _check_choices(group: dict[str, Any]) -> None:
    if group.get("row_steps") and group["sparse"] == "exact":
        raise ValueError("row_steps=True is for sparse='lazy': with 'exact' every row takes every step")
    for key, names in _NAMES.items():
        given = group.get(key, "auto")
        for value in named(given) if key == "state_format" and isinstance(given, dict) else [given]:
            if value != "auto" and value not in names:
                hint = nearest(value, names) if isinstance(value, str) else ""
                raise ValueError(f"unknown {key} {value!r}{hint} There are auto, {', '.join(names)}")
    seed = group.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ValueError(f"seed must be an integer, got {seed!r}")
    if group.get("fused") and group.get("differentiable"):
        raise RuntimeError("`fused` does not support `differentiable`")
    if group.get("fused") and group.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if group.get("differentiable") and any(
        isinstance(x, torch.Tensor) and x.requires_grad for x in (group["lr"], group.get("weight_decay"))
    ):
        raise NotImplementedError(
            "differentiable=True gives gradients with respect to weights, gradients and state, "
            "not to lr or weight_decay: detach() them"
        )
