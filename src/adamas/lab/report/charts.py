"""Plotly figures of the report, as plain dictionaries.

Colours of paper, text and grid are left to the page's script, which takes them from the page's style sheet
and so follows light and dark mode. `meta` carries the key of the legend's button that hides a trace, and of
curves both horizontal axes, for the switch between them.
"""

import html
import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from plotly import graph_objects

from adamas.lab import optimizers, workloads
from adamas.lab.analysis import Band, Summary
from adamas.lab.report import palette

Figure = dict[str, Any]


def label(optimizer: str) -> str:
    """The name of an optimizer; escaped, as plotly reads a subset of HTML in names."""
    return html.escape(optimizers.entry(optimizer).label)


def finite(values: Sequence[float]) -> list[float | None]:
    """The values with gaps where they are not finite, as JSON has no word for that."""
    return [value if math.isfinite(value) else None for value in values]


def log_axis(values: Iterable[float | None]) -> dict[str, Any]:
    """A logarithmic axis, labelled at 1, 2 and 5 of every decade, or only at 1 where there are many.

    Example:
        >>> log_axis([0.1, 20.0, None])["dtick"], log_axis([1e-6, 1.0])["dtick"]
        ('D2', 1)
    """
    positive = [value for value in values if value is not None and 0 < value < math.inf]
    many = bool(positive) and max(positive) / min(positive) > 2000
    return {"type": "log", "tickformat": "~g", "dtick": 1 if many else "D2"}


def heights(figure: graph_objects.Figure) -> list[float | None]:
    """All values that a figure's traces have upwards."""
    return [value for trace in figure.data for value in trace.y]  # type: ignore[attr-defined]


def plain(figure: graph_objects.Figure) -> Figure:
    """The figure as JSON has it."""
    return json.loads(figure.to_json() or "{}")


def _curve(summary: Summary, value: Callable[[int], Band], hover: str) -> list[graph_objects.Scatter]:
    """The band over seeds, and the median in front of it."""
    steps = summary.steps
    seconds = [summary.seconds_at(step) for step in steps]
    bands = [value(step) for step in steps]
    around = {"step": [*steps, *reversed(steps)], "second": finite([*seconds, *reversed(seconds)])}
    edge = [*(band.high for band in bands), *(band.low for band in reversed(bands))]
    optimizer = summary.optimizer
    band = graph_objects.Scatter(
        x=around["step"],
        y=finite(edge),
        fill="toself",
        fillcolor=palette.translucent(palette.colour(optimizer), 0.13),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        meta={"key": optimizer, **around},
    )
    line = graph_objects.Scatter(
        x=steps,
        y=finite([band.median for band in bands]),
        name=label(optimizer),
        mode="lines",
        line={"color": palette.colour(optimizer), "width": 2, "dash": palette.dash(optimizer)},
        hovertemplate=f"%{{fullData.name}} {hover}<extra></extra>",
        meta={"key": optimizer, "step": steps, "second": finite(seconds)},
    )
    return [band, line]


def loss_curves(summaries: Sequence[Summary]) -> Figure:
    """Train loss of one workload on a logarithmic axis, with the target as a dashed line."""
    target = workloads.load(summaries[0].workload).target
    figure = graph_objects.Figure()
    for summary in summaries:
        figure.add_traces(_curve(summary, summary.loss_at, "%{y:.3g}"))
    figure.add_hline(y=target, line={"dash": "dot", "width": 1.5})
    # On a logarithmic axis a line is placed by its value, but an annotation by the value's logarithm.
    figure.add_annotation(
        text=f"target {target:g}",
        x=0.01,
        xref="paper",
        y=math.log10(target),
        showarrow=False,
        xanchor="left",
        yanchor="top",
        name="target",
    )
    figure.update_yaxes(log_axis(heights(figure)), title="train loss")
    figure.update_xaxes(title="step", showgrid=False)
    figure.update_layout(hovermode="x unified")
    return plain(figure)


def metric_curves(summaries: Sequence[Summary]) -> Figure:
    """Test metric of one workload; the axis leaves out what the first few steps pass through."""
    name = html.escape(workloads.load(summaries[0].workload).metric_name)
    figure = graph_objects.Figure()
    for summary in summaries:
        figure.add_traces(_curve(summary, summary.metric_at, "%{y:.4f}"))
    ends = [summary.test_metric for summary in summaries]
    best, worst = max(band.high for band in ends), min(band.low for band in ends)
    figure.update_yaxes(title=f"test {name}", range=[worst - 2 * (best - worst) - 0.01, best + 0.005])
    figure.update_xaxes(title="step", showgrid=False)
    figure.update_layout(hovermode="x unified")
    return plain(figure)


def target_dots(summaries: Sequence[Summary]) -> Figure:
    """Steps to the target, a dot per seed; a seed that never reaches it is a cross past the budget's end."""
    figure = graph_objects.Figure()
    end = summaries[0].steps[-1]
    beyond = end * 1.06
    for summary in reversed(summaries):
        reached = [crossing.first for crossing in summary.crossings]
        missed = [math.isinf(step) for step in reached]
        figure.add_scatter(
            x=[beyond if miss else step for step, miss in zip(reached, missed, strict=True)],
            y=[label(summary.optimizer)] * len(reached),
            mode="markers",
            marker={
                "color": palette.colour(summary.optimizer),
                "size": 11,
                "opacity": 0.75,
                "symbol": ["x-thin-open" if miss else "circle" for miss in missed],
                "line": {"width": [2 if miss else 0 for miss in missed]},
            },
            customdata=["never" if miss else f"step {step:,.0f}" for step, miss in zip(reached, missed, strict=True)],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
            meta={"key": summary.optimizer},
        )
    figure.update_xaxes(title="steps to target", range=[0, end * 1.12])
    return plain(figure)


def optimizer_time(summaries: Sequence[Summary]) -> Figure:
    """Median time of one optimizer step, with the band over seeds."""
    figure = graph_objects.Figure()
    for summary in reversed(summaries):
        band = summary.optimizer_step
        figure.add_bar(
            x=[band.median * 1e6],
            y=[label(summary.optimizer)],
            orientation="h",
            marker={"color": palette.colour(summary.optimizer), "opacity": 0.85},
            error_x={
                "array": [(band.high - band.median) * 1e6],
                "arrayminus": [(band.median - band.low) * 1e6],
                "color": "rgba(128,128,128,0.9)",
                "thickness": 1.2,
                "width": 4,
            },
            hovertemplate="%{y}: %{x:.0f} µs<extra></extra>",
            meta={"key": summary.optimizer},
        )
    figure.update_layout(bargap=0.4)
    figure.update_xaxes(title="µs per optimizer step", rangemode="tozero")
    return plain(figure)
