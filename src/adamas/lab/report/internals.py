"""Optimizer internals as heat maps: every parameter tensor, at every evaluation of a run."""

import html
import math
from collections.abc import Sequence
from typing import Protocol

from plotly import graph_objects

from adamas.lab.internals import Internal
from adamas.lab.report.charts import plain
from adamas.lab.report.page import Chart

MOST = 40
"""Tensors that a heat map shows at most; more could not be told apart."""

_POWERS = {"tickvals": list(range(-12, 7)), "ticktext": [f"{10.0**power:g}" for power in range(-12, 7)]}

Rows = Sequence[Sequence[float | None]]


class Tensor(Protocol):
    """What a heat map has a row for."""

    @property
    def name(self) -> str:
        """The parameter's name."""
        ...

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that were measured."""
        ...


def heat_map(internals: Sequence[Tensor], rows: Rows, logarithmic: bool) -> graph_objects.Figure:
    """Draws tensor x time.

    Args:
        internals: the tensors.
        rows: a row of numbers for each; shares of 1, unless they are drawn by their logarithm.
        logarithmic: whether they are.
    """

    def drawn(value: float | None) -> float | None:
        if value is None or (logarithmic and value <= 0):
            return None
        return math.log10(value) if logarithmic else value

    figure = graph_objects.Figure()
    figure.add_heatmap(
        x=list(max((each.steps for each in internals), key=len)),
        y=list(range(len(rows))),
        z=[[drawn(value) for value in row] for row in rows],
        text=[[html.escape(internals[at].name)] * len(row) for at, row in enumerate(rows)],
        customdata=[list(row) for row in rows],
        colorscale="Viridis",
        colorbar={"thickness": 10, "outlinewidth": 0, **(_POWERS if logarithmic else {})},
        hovertemplate="%{text}, step %{x}: %{customdata:.3g}<extra></extra>",
        **({} if logarithmic else {"zmin": 0, "zmax": 1}),
    )
    names = [html.escape(each.name) for each in internals]
    figure.update_yaxes(autorange="reversed", showgrid=False, tickvals=list(range(len(names))), ticktext=names)
    figure.update_xaxes(title="step", showgrid=False)
    return figure


def parts(internals: Sequence[Internal]) -> tuple[Chart, ...]:
    """The heat maps of one run; those of which it has no number are left out."""
    shown = internals[:MOST]
    note = "" if len(internals) <= MOST else f"The first {MOST} of {len(internals)} tensors."
    maps = (
        ("Update / weight", "Size of a step relative to the weights, as root mean squares.", "update_ratio", True),
        ("Effective learning rate", "Median of |update / gradient|.", "effective_lr", True),
        ("Coordinates under eps", "Share with a root of the second moment under 10 eps.", "under_eps", False),
    )
    charts = []
    for heading, meaning, name, logarithmic in maps:
        rows: Rows = [getattr(each, name) for each in shown]
        if any(value is not None for row in rows for value in row):
            figure = plain(heat_map(shown, rows, logarithmic))
            charts.append(Chart(heading, figure, f"{meaning} {note}".strip(), height=max(180, 90 + 17 * len(shown))))
    return tuple(charts)
