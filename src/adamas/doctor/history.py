"""What was seen of a run: a look every so many steps at every parameter that was stepped; numbers, no tensors."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from adamas.engines.statistics import Reading, Sums
from adamas.reports import parameter_labels

KEPT = 256  # looks; of a thousand parameters that is 50 MB


@dataclass(frozen=True, slots=True)
class Seen:
    """One parameter in one step.

    Args:
        name: the parameter's name or, without names, ``group.place``.
        step: the step it was at, from 1.
        numel: how many real numbers it has.
        lr: of its group.
        decay: of the mean of squared gradients; None if the rule has none.
        unbias: what that mean is multiplied with to be without its start at zero.
        whole: the sum of the weights in the mean of gradients before the step; 0 if there is none.
        sums: see `adamas.engines.statistics.Sums`.
    """

    name: str
    step: int
    numel: int
    lr: float
    decay: float | None
    unbias: float
    whole: float
    sums: Sums

    @property
    def update_rms(self) -> float:
        """Root mean square of the update in units of lr."""
        return _root(self.sums.update, self.numel) / self.lr if self.lr else math.nan

    @property
    def update_ratio(self) -> float:
        """Size of the update relative to the weights."""
        return _root(self.sums.update, self.sums.weight)

    @property
    def rms(self) -> float:
        """RMS_t: root mean square of g / sqrt(v^), about 1 while v follows the gradients."""
        return _root(self.sums.ratio, self.numel) if self.decay is not None else math.nan

    @property
    def lost(self) -> float:
        """Share of updates that rounding takes back."""
        return _share(self.sums.lost, self.sums.moved)

    @property
    def large(self) -> float:
        """Share of updates beyond 0.9 lr."""
        return _share(self.sums.large, self.sums.moved)

    @property
    def under(self) -> float:
        """Share of the roots of v^ that are under 10 eps, where v is not zero."""
        return _share(self.sums.under, self.sums.alive) if self.decay is not None else math.nan


@dataclass(frozen=True, slots=True)
class Look:
    """All parameters in one step.

    Args:
        count: how many steps the optimizer had taken since the doctor began, this one included.
        seen: the parameters that had a gradient.
    """

    count: int
    seen: tuple[Seen, ...]


class Doctor:
    """Looks at every so many steps of one optimizer; ``optimizer.diagnose_every = 16`` makes one.

    Args:
        every: how many steps lie between two looks, >= 1.

    Attributes:
        every: as given.
        looks: what was seen, the last `KEPT` looks.
        steps: how many steps the optimizer has taken since.
        loaded: lr of every group in the checkpoint that was loaded last, until the first look after it.
        resumed: (group, lr of the checkpoint, lr of the first step after it), where they differ.
    """

    def __init__(self, every: int) -> None:
        if type(every) is not int or every < 1:
            raise ValueError(f"diagnose_every must be None or an integer of at least 1, got {every!r}")
        self.every, self.steps = every, 0
        self.looks: deque[Look] = deque(maxlen=KEPT)
        self.loaded: list[float] | None = None
        self.resumed: tuple[tuple[int, float, float], ...] = ()

    def due(self) -> bool:
        """Count a step, and say whether it is to be looked at."""
        self.steps += 1
        return self.steps % self.every == 0 or self.loaded is not None

    def take(self, groups: list[dict[str, Any]], readings: Iterable[Reading]) -> None:
        """Keep what was seen of a step."""
        labels = parameter_labels(groups)
        self.looks.append(Look(self.steps, tuple(_seen(labels[each.item.owner], each) for each in readings)))
        if self.loaded is not None:
            lrs = enumerate(zip(self.loaded, (float(group["lr"]) for group in groups), strict=False))
            self.resumed = tuple((number, before, now) for number, (before, now) in lrs if before != now)
            self.loaded = None

    def remember_loaded(self, groups: list[dict[str, Any]]) -> None:
        """Keep the learning rates that a checkpoint brought, to see whether the next step has them."""
        self.loaded = [float(group["lr"]) for group in groups]


def _seen(name: str, reading: Reading) -> Seen:
    second, first = reading.second, reading.first
    return Seen(
        name=name,
        step=int(reading.step),
        numel=reading.item.numel,
        lr=reading.h.lr,
        decay=second.decay if second else None,
        unbias=second.unbias if second else 1.0,
        whole=first.whole if first else 0.0,
        sums=reading.sums,
    )


def _root(a: float, b: float) -> float:
    return math.sqrt(a / b) if b > 0 else math.nan


def _share(a: float, b: float) -> float:
    return a / b if b > 0 else math.nan
