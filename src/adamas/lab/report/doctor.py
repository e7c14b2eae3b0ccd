"""What the doctor says of a run: its findings, and heat maps of every parameter over time."""

from adamas.doctor import Finding
from adamas.lab import text
from adamas.lab.report.charts import plain
from adamas.lab.report.internals import MOST, Rows, heat_map
from adamas.lab.report.page import Chart, Words
from adamas.lab.results import Diagnosis

_MAPS = (
    ("Update / weight at the doctor's looks", "Healthy is about 1e-3.", "update_ratio", True),
    ("Gradient over root of second moment", "RMS; about 1 while the second moment follows.", "rms", True),
    ("Updates lost to rounding", "Share of the updates that are not 0.", "lost", False),
    ("Updates beyond 0.9 lr", "Share; all of them at 1: steps by the sign.", "large", False),
    ("Roots of the second moment under 10 eps", "Share; at 1 eps decides the step.", "under", False),
)
_SHOWN = 5


def parts(diagnosis: Diagnosis) -> tuple[Words | Chart, ...]:
    """The findings in words, and the heat maps of which there are numbers; a map of zeros says nothing."""
    shown = diagnosis.tracks[:MOST]
    note = "" if len(diagnosis.tracks) <= MOST else f"The first {MOST} of {len(diagnosis.tracks)} tensors."
    drawn: list[Words | Chart] = [_words(diagnosis)]
    for heading, meaning, name, logarithmic in _MAPS:
        rows: Rows = [getattr(each, name) for each in shown]
        if any(value for row in rows for value in row):
            figure = plain(heat_map(shown, rows, logarithmic))
            height = max(180, 90 + 17 * len(shown))
            drawn.append(Chart(heading, figure, f"{meaning} {note}".strip(), height=height))
    return tuple(drawn)


def _words(diagnosis: Diagnosis) -> Words:
    said = tuple(sentence(each) for each in diagnosis.findings) or ("Nothing is wrong, as far as its steps show.",)
    return Words("Findings", noise(diagnosis) or f"A look every {diagnosis.every} steps.", said)


def sentence(found: Finding) -> str:
    """A finding as a sentence or two.

    Example:
        >>> sentence(Finding(what="eps dominates", where=("a", "b"), number=0.9, threshold=0.5, advice="a smaller eps.",
        ...                  source="Choi"))
        'Eps dominates (a, b): 0.9, threshold 0.5. What to change: a smaller eps. [Choi]'
    """
    names = ", ".join(found.where[:_SHOWN]) + (f", {len(found.where) - _SHOWN} more" if found.where[_SHOWN:] else "")
    place = f" ({names})" if names else ""
    return (
        f"{found.what[0].upper()}{found.what[1:]}{place}: {found.number:.3g}, threshold {found.threshold:.3g}. "
        f"What to change: {found.advice} [{found.source}]"
    )


def noise(diagnosis: Diagnosis) -> str:
    """The gradient noise scale at the end in a sentence; empty without one."""
    if not diagnosis.noise_scale:
        return ""
    low, middle, high = ("no end" if each is None else text.significant(each, 2) for each in diagnosis.noise_scale)
    return f"Gradient noise scale at the end: {middle} examples ({low} to {high})."
