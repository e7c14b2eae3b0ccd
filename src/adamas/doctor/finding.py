"""What the doctor finds: one thing that is wrong with a run, where, how it is known, and what to change."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One finding.

    Args:
        what: what is wrong, in a few words; the same words whenever it is found.
        where: names of the parameters, worst first (without names, ``group.place``); empty if it is the whole run.
        number: what was measured, at the first of them.
        threshold: the number from which on it is a finding.
        advice: what to change.
        source: who says so.

    Example:
        >>> print(Finding("updates are lost to rounding", ("head.weight",), 0.93, 0.5, "use split24.", "LOWBIT"))
        updates are lost to rounding: head.weight (0.93, threshold 0.5)
          use split24. [LOWBIT]
    """

    what: str
    where: tuple[str, ...]
    number: float
    threshold: float
    advice: str
    source: str

    def __str__(self) -> str:
        """Show it in two lines."""
        names = ", ".join(self.where[:_SHOWN])
        more = f" and {len(self.where) - _SHOWN} more" if len(self.where) > _SHOWN else ""
        place = f": {names}{more}" if names else ""
        return (
            f"{self.what}{place} ({self.number:.3g}, threshold {self.threshold:.3g})\n  {self.advice} [{self.source}]"
        )
