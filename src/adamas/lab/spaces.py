"""Which hyper-parameters a search varies, and over what range.

That follows the budget: with few trials every further dimension costs more than it brings. Under 10 trials the
learning rate alone; from 10 on also beta1 (or momentum); from 25 on also eps and weight decay; from 100 on also
beta2 (or RMSProp's alpha). An optimizer that lacks one of them has the same number of trials for fewer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from adamas.lab import optimizers
from adamas.lab.errors import LabError
from adamas.lab.spec import Value

LR_ONLY = 10
"""Budgets under this one are for the learning rate alone."""

_STAGES = ((10, ("beta1", "momentum")), (25, ("eps", "weight_decay")), (100, ("beta2", "alpha")))
_EDGE = 0.1
"""A best learning rate within this share of the range from an end has the range widened there."""


@dataclass(frozen=True)
class Dimension:
    """One hyper-parameter, searched on a logarithmic scale.

    Args:
        name: the keyword, or beta1 and beta2 for the parts of `betas`.
        low: least value searched.
        high: greatest value searched.
        complement: what is searched is 1 - value: for decay rates, whose distance from 1 is what counts.
        widens: the range follows the best value past its ends.
    """

    name: str
    low: float
    high: float
    complement: bool = False
    widens: bool = False

    def widened(self, best: float | None) -> "Dimension":
        """The same with a range that the best value so far does not sit at an end of; a decade more at a time.

        Example:
            >>> Dimension("lr", 0.001, 1.0, widens=True).widened(0.9).high
            10.0
            >>> Dimension("lr", 0.001, 1.0, widens=True).widened(0.03).high
            1.0
        """
        low, high = self.low, self.high
        while self.widens and best is not None and best < low * (high / low) ** _EDGE:
            low /= 10
        while self.widens and best is not None and best > high / (high / low) ** _EDGE:
            high *= 10
        return Dimension(self.name, low, high, self.complement, self.widens)


_RANGES = {
    "beta1": Dimension("beta1", 0.02, 0.5, complement=True),
    "momentum": Dimension("momentum", 0.02, 0.5, complement=True),
    "eps": Dimension("eps", 1e-10, 1e-3),
    "weight_decay": Dimension("weight_decay", 1e-5, 1.0),
    "beta2": Dimension("beta2", 1e-4, 0.1, complement=True),
    "alpha": Dimension("alpha", 1e-4, 0.1, complement=True),
}

ALGOPERF = (
    Dimension("lr", 1e-4, 1e-2),
    Dimension("beta1", 0.02, 0.5, complement=True),
    Dimension("weight_decay", 5e-3, 1.0),
)
"""AlgoPerf's search space for AdamW (Dahl et al. 2023), without its warm-up, as the lab's rates are constant."""

PRESETS = ("budget", "algoperf")


def space(optimizer: str, budget: int, preset: str = "budget") -> tuple[Dimension, ...]:
    """The hyper-parameters to search for an optimizer.

    Args:
        optimizer: its name.
        budget: trials.
        preset: `budget`, where the number of trials decides, or `algoperf`.

    Raises:
        LabError: there is no such preset, or the optimizer lacks a hyper-parameter of it.

    Example:
        >>> [[each.name for each in space("adamw", budget)] for budget in (9, 10, 25)]
        [['lr'], ['lr', 'beta1'], ['lr', 'beta1', 'eps', 'weight_decay']]
        >>> [each.name for each in space("momentum", 100)]
        ['lr', 'momentum', 'weight_decay']
        >>> [each.name for each in space("rmsprop", 100)]
        ['lr', 'eps', 'weight_decay', 'alpha']
    """
    if preset not in PRESETS:
        raise LabError(f"no search space is called {preset!r}", f"there are {', '.join(PRESETS)}")
    if preset == "algoperf":
        missing = [each.name for each in ALGOPERF if each.name != "lr" and not _has(optimizer, each.name)]
        if missing:
            raise LabError(f"{optimizer} has no {missing[0]}, which the space algoperf varies", "it is for AdamW")
        return ALGOPERF
    lr = optimizers.entry(optimizer).lr
    names = [name for least, stage in _STAGES if budget >= least for name in stage if _has(optimizer, name)]
    return (Dimension("lr", lr / 30, lr * 30, widens=True), *(_RANGES[name] for name in names))


def _has(optimizer: str, name: str) -> bool:
    known = optimizers.accepts(optimizer)
    if name in ("beta1", "beta2"):
        return "betas" in known
    # Momentum that is off is another optimizer when it is on.
    return bool(known.get("momentum")) if name == "momentum" else name in known


def keywords(optimizer: str, found: Mapping[str, float]) -> dict[str, Value]:
    """The keywords of the optimizer's class for values by dimension, to three digits.

    Example:
        >>> keywords("adam", {"lr": 0.01234, "beta1": 0.1})
        {'lr': 0.0123, 'betas': (0.9, 0.999)}
    """
    dimensions = {**_RANGES, "lr": Dimension("lr", 0, 0)}
    values: dict[str, float] = {}
    for name, searched in found.items():
        rounded = float(f"{searched:.3g}")
        values[name] = round(1 - rounded, 8) if dimensions[name].complement else rounded
    result: dict[str, Value] = {name: value for name, value in values.items() if name not in ("beta1", "beta2")}
    if len(result) < len(values):
        beta1, beta2 = map(float, optimizers.accepts(optimizer)["betas"])
        result["betas"] = (values.get("beta1", beta1), values.get("beta2", beta2))
    return result


def defaults(optimizer: str, dimensions: tuple[Dimension, ...]) -> dict[str, float]:
    """The optimizer's own settings as a point of the space; what lies outside is brought to the edge.

    Example:
        >>> defaults("adam", space("adam", 25))
        {'lr': 0.003, 'beta1': 0.1, 'eps': 1e-08, 'weight_decay': 1e-05}
    """
    known = {**optimizers.accepts(optimizer), "lr": optimizers.entry(optimizer).lr}
    if "betas" in known:
        known["beta1"], known["beta2"] = known["betas"]
    point = {}
    for each in dimensions:
        value = 1 - float(known[each.name]) if each.complement else float(known[each.name])
        point[each.name] = float(f"{min(max(value, each.low), each.high):.6g}")
    return point
