"""What callbacks of training frameworks have in common: give optimizers a doctor, hear what is new, tell the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adamas.doctor.finding import Finding


class Attending:
    """Doctors of all optimizers of a training.

    Args:
        every: how many steps lie between two looks.
    """

    def __init__(self, every: int = 16) -> None:
        self.every = every
        self._optimizers: list[Any] = []
        self._heard = 0

    def begin(self, optimizers: Iterable[Any]) -> None:
        """Give a doctor to each optimizer that can have one; it may be wrapped, with an attribute ``optimizer``.

        Raises:
            TypeError: if there is none.
        """
        bare = [getattr(each, "optimizer", each) for each in optimizers]
        self._optimizers = [each for each in bare if hasattr(each, "diagnose_every")]
        if not self._optimizers:
            names = ", ".join(type(each).__name__ for each in bare) or "none"
            raise TypeError(f"the doctor needs an optimizer of adamas, this training has {names}: use adamas.AdamW")
        for each in self._optimizers:
            each.diagnose_every = self.every

    def news(self) -> dict[str, float]:
        """Return the numbers of the last look if it is new, else nothing."""
        looks = sum(each.doctor.looks[-1].count for each in self._optimizers if each.doctor and each.doctor.looks)
        if looks == self._heard:
            return {}
        self._heard = looks
        return {name: value for each in self._optimizers for name, value in each.scalars().items()}

    def findings(self) -> list[Finding]:
        """Return what is wrong with the training."""
        return [finding for each in self._optimizers for finding in each.diagnose()]
