"""What a step did: ``optimizer.last_step``. A step keeps what it computes anyway, the rest waits until asked for."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any

from adamas.engines.launch import Item
from adamas.engines.norms import total_norm


def parameter_labels(groups: list[dict[str, Any]]) -> dict[Any, str]:
    """Return what reports call each parameter: its name or, without names, ``group.place``."""
    labels = {}
    for number, group in enumerate(groups):
        names = group.get("param_names")
        for place, p in enumerate(group["params"]):
            labels[p] = names[place] if names else f"{number}.{place}"
    return labels


class StepReport:
    """What the guards saw in one step, and did.

    Args:
        groups: the optimizer's parameter groups, for names.
        skipped: whether no step was taken.
        items: the parameters that have a gradient.
        squares: the sum of squares of each gradient as it was given; None if no guard asked for it.
        inverse_scale: what the gradients were multiplied with: 1 over the gradient scaler's scale.
        clip_factor: what clipping by norm multiplied them with.
        updates: items and the RMS of their updates, where ``clip_update`` asked for it.

    Attributes:
        skipped: whether no step was taken.
        clip_factor: 1 if no gradient was clipped by norm.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        skipped: bool = False,
        items: Sequence[Item] = (),
        squares: array | None = None,
        inverse_scale: float = 1.0,
        clip_factor: float = 1.0,
        updates: Sequence[tuple[Sequence[Item], array]] = (),
    ) -> None:
        self.skipped, self.clip_factor = skipped, clip_factor
        self._groups, self._items, self._squares = groups, items, squares
        self._inverse_scale, self._updates = inverse_scale, updates

    @property
    def norm(self) -> float | None:
        """The norm of all gradients together, unscaled and before clipping; None if no guard asked for it."""
        return None if self._squares is None else total_norm(self._squares, self._inverse_scale)

    @property
    def norms(self) -> dict[str, float]:
        """The norm of each gradient, by the parameter's name or, without names, ``group.place``."""
        labels = parameter_labels(self._groups)
        return {
            labels[item.owner]: self._inverse_scale * math.sqrt(each)
            for item, each in zip(self._items, self._squares or (), strict=bool(self._squares))
        }

    @property
    def update_rms(self) -> dict[str, float]:
        """The RMS of each update before it was clipped, of parameters whose group has ``clip_update``."""
        labels = parameter_labels(self._groups)
        every = chain.from_iterable(zip(items, rms, strict=True) for items, rms in self._updates)
        return {labels[item.owner]: rms for item, rms in every if not math.isnan(rms)}

    def __repr__(self) -> str:
        """Show what is known without computing much."""
        shown = ["skipped" if self.skipped else "taken"]
        if self._squares is not None:
            shown.append(f"norm {self.norm:.6g}, clip factor {self.clip_factor:.6g}")
        return f"StepReport({', '.join(shown)})"
