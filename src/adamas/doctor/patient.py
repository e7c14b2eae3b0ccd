"""What the checks look at: an optimizer's parameters and settings as they are now, and what was seen of its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from adamas.doctor.history import Doctor, Look, Seen
from adamas.engines.hyper import hyperparameters, surround
from adamas.reports import parameter_labels
from adamas.rules import Rule

RECENT = 5  # looks that a number is the median of, so that one odd batch is no finding
WARM = 10  # steps after which moments mean something: at first every update of Adam is its sign


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A parameter as its group has it.

    Args:
        name: its name or, without names, ``group.place``.
        tensor: the parameter.
        h: its group's hyper-parameters, and what the engine does around the rule.
        rule: its group's rule.
        rounding: how its weight is written.
        stepped: whether it ever had a gradient, as far as its state says.
    """

    name: str
    tensor: torch.Tensor
    h: Any
    rule: type[Rule]
    rounding: str
    stepped: bool


class Patient:
    """An optimizer that has a doctor.

    Args:
        optimizer: the optimizer.
        doctor: its doctor.

    Attributes:
        optimizer: the optimizer.
        doctor: its doctor.
        parameters: every parameter, once for each time that it is listed.
        looks: what was seen, in the order of the steps.
    """

    def __init__(self, optimizer: Any, doctor: Doctor) -> None:
        self.optimizer, self.doctor = optimizer, doctor
        self.looks: list[Look] = list(doctor.looks)
        self.parameters = list(_parameters(optimizer))

    def recent(self) -> dict[str, list[Seen]]:
        """Return what was last seen of each parameter, once moments mean something."""
        found: dict[str, list[Seen]] = {}
        for look in [look for look in self.looks if look.count > WARM][-RECENT:]:
            for seen in look.seen:
                found.setdefault(seen.name, []).append(seen)
        return found

    def worst(
        self, number: Callable[[Seen], float], threshold: float, least: int = 1
    ) -> tuple[tuple[str, ...], float] | None:
        """Return the parameters whose recent median of a number is above a threshold, worst first, and the worst.

        Args:
            number: of one parameter in one step; NaN does not count.
            threshold: above which it is too large.
            least: how many numbers there must be.
        """
        from statistics import median  # `import adamas` need not bring fractions and decimals along

        found = []
        for name, seen in self.recent().items():
            numbers = [x for x in map(number, seen) if not math.isnan(x)]
            if len(numbers) >= least and median(numbers) > threshold:
                found.append((median(numbers), name))
        return ranked(found)


def ranked(found: Iterable[tuple[float, str]]) -> tuple[tuple[str, ...], float] | None:
    """Return names with the largest number first, and that number; None if there are none.

    Example:
        >>> ranked([(1.0, "a"), (3.0, "b")])
        (('b', 'a'), 3.0)
    """
    ordered = sorted(found, key=lambda each: -each[0])
    return (tuple(name for _, name in ordered), ordered[0][0]) if ordered else None


def _parameters(optimizer: Any) -> Iterable[Parameter]:
    labels = parameter_labels(optimizer.param_groups)
    for group in optimizer.param_groups:
        rule = optimizer.rule(group)
        h = surround(hyperparameters(group), rule)
        for p in group["params"]:
            state = optimizer.state.get(p, {})
            rounding = _rounding(group["rounding"], p, state)
            yield Parameter(labels[p], p, h, rule, rounding, bool(state))


def _rounding(asked: str, p: torch.Tensor, state: dict[str, Any]) -> str:
    short = p.dtype in (torch.bfloat16, torch.float16)
    return ("stochastic" if short else "nearest") if asked == "auto" or not short else asked
