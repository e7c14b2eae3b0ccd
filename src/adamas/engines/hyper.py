"""Hyper-parameters of groups as numbers, made anew only where one of them changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from types import SimpleNamespace
from typing import Any

import torch

from adamas.rules import Rule

_NOT_HYPER = ("params", "param_names")

# Decay that follows the schedule of lr: what weight_decay is multiplied with, from lr and the largest lr.
PACED: dict[str, Callable[[float, float], float]] = {
    "independent": lambda lr, max_lr: lr / max_lr,
    "scheduled": lambda lr, max_lr: lr * lr / max_lr,
}
DECAY_MODES = ("l2", "decoupled", *PACED)


class Hyper:
    """The hyper-parameters of all groups of one rule; those of groups with equal values are the same object.

    With them comes what the engine does around the rule (see `adamas.engines.rows.Around`): ``keep``, ``l2``, ``sign``.
    """

    def __init__(self, rule: type[Rule]) -> None:
        self._rule = rule
        self._last: dict[int, tuple[list[Any], SimpleNamespace]] = {}
        self._equal: dict[Any, SimpleNamespace] = {}

    def of_all(self, groups: Sequence[dict[str, Any]]) -> tuple[list[SimpleNamespace], list[int]]:
        """Return the different hyper-parameters of groups, and each group's place among them.

        Example:
            >>> from adamas.rules import Adam
            >>> hyper, groups = Hyper(Adam), [{"params": [], "lr": lr} for lr in (0.5, 0.25, 0.5)]
            >>> different, places = hyper.of_all(groups)
            >>> [h.lr for h in different], places
            ([0.5, 0.25], [0, 1, 0])
        """
        each = list(map(self.of, groups))
        different = {id(h): h for h in each}
        places = {key: place for place, key in enumerate(different)}
        return list(different.values()), [places[id(h)] for h in each]

    def of(self, group: dict[str, Any]) -> SimpleNamespace:
        """Return a group's hyper-parameters as they are now.

        Example:
            >>> from adamas.rules import Adam
            >>> hyper, a, b = Hyper(Adam), {"params": [], "lr": 0.5}, {"params": [], "lr": 0.5}
            >>> hyper.of(a) is hyper.of(b)
            True
            >>> a["lr"] = 0.25
            >>> hyper.of(a).lr, hyper.of(b).lr
            (0.25, 0.5)
        """
        values, h = self._last.get(id(group), ([], None))
        now = list(group.values())
        if h is not None and len(now) == len(values) and all(map(is_, now, values)):
            return h
        h = self._shared(surround(hyperparameters(group), self._rule))
        if not any(isinstance(value, torch.Tensor) for value in now):  # a tensor can change where it is
            self._last[id(group)] = (now, h)
        return h

    def _shared(self, h: SimpleNamespace) -> SimpleNamespace:
        if len(self._equal) > 4 * len(self._last) + 4:  # every new lr of a schedule adds one
            self._equal.clear()
        key = tuple(vars(h).values())
        try:
            return self._equal.setdefault(key, h)
        except TypeError:  # a list or dict that somebody put into the group
            return h


def surround(h: SimpleNamespace, rule: type[Rule]) -> SimpleNamespace:
    """Add to hyper-parameters what the engine does around the rule."""
    decay, mode = getattr(h, "weight_decay", 0.0), decay_mode(vars(h), rule)
    h.keep, h.l2 = (1.0, decay) if mode == "l2" else (1 - _pace(mode, h) * decay, 0.0)
    h.sign = -1.0 if getattr(h, "maximize", False) else 1.0
    return h


def decay_mode(group: dict[str, Any], rule: type[Rule]) -> str:
    """Return how a group's weight decay acts, of `DECAY_MODES`."""
    mode = group.get("decay_mode", "auto")
    if mode != "auto":
        return mode
    return "decoupled" if group.get("decoupled_weight_decay", rule.decoupled_weight_decay) else "l2"


def _pace(mode: str, h: SimpleNamespace) -> float:
    """Return what decoupled decay is multiplied with."""
    if mode == "decoupled":
        return h.lr
    max_lr = getattr(h, "max_lr", h.lr)
    check_max_lr(mode, max_lr)
    return PACED[mode](h.lr, max_lr)


def check_max_lr(mode: str, max_lr: float) -> None:
    """Raise ValueError for a peak lr that decay cannot be measured by."""
    if not max_lr > 0:
        raise ValueError(
            f"decay_mode={mode!r} measures by max_lr, which is {max_lr}: set group['max_lr'] to the peak lr"
        )


def hyperparameters(group: dict[str, Any]) -> SimpleNamespace:
    """Return a group's hyper-parameters as numbers, with ``betas`` also as ``beta1`` and ``beta2``.

    Example:
        >>> h = hyperparameters({"params": [], "lr": torch.tensor(0.5), "betas": [0.9, 0.99]})
        >>> h.lr, h.betas, h.beta2
        (0.5, (0.9, 0.99), 0.99)
    """
    h = SimpleNamespace(**{key: _number(value) for key, value in group.items() if key not in _NOT_HYPER})
    if "betas" in group:
        h.betas = h.beta1, h.beta2 = tuple(map(_number, group["betas"]))
    return h


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value
