"""Charts of reproduced figures: cost over steps, cost over learning rates in panels, heat maps."""

import html
import math
from collections.abc import Callable, Sequence
from statistics import median

from plotly import graph_objects
from plotly.subplots import make_subplots

from adamas.lab.analysis import Band
from adamas.lab.report import palette
from adamas.lab.report.charts import Figure, finite, heights, log_axis, plain
from adamas.lab.report.sweep_charts import band_of
from adamas.lab.reproduce.evidence import Cell, Curve, Evidence

_RATES = {"type": "log", "tickformat": "~g", "dtick": 1, "showgrid": False}


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label, in the order of the figure."""
    return {label: palette.SERIES[at % len(palette.SERIES)] for at, label in enumerate(dict.fromkeys(labels))}


def _line(x: Sequence[float], bands: Sequence[Band], label: str, colour: str, markers: bool) -> list:
    line = graph_objects.Scatter(
        x=list(x),
        y=finite([band.median for band in bands]),
        name=html.escape(label),
        mode="lines+markers" if markers else "lines",
        marker={"size": 6},
        line={"color": colour, "width": 2},
        hovertemplate="%{fullData.name}: %{y:.3g}<extra></extra>",
        meta={"key": label},
    )
    return [band_of(x, bands, colour, label), line]


def _over_steps(evidence: Evidence, values: Callable[[Curve], Sequence[Sequence[float]]]) -> graph_objects.Figure:
    figure = graph_objects.Figure()
    chosen = colours([curve.label for curve in evidence.curves])
    epoch = evidence.steps / evidence.epochs
    for curve in evidence.curves:
        bands = [Band.over(each) for each in zip(*values(curve), strict=True)]
        figure.add_traces(_line([step / epoch for step in curve.steps], bands, curve.label, chosen[curve.label], False))
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title="epoch", showgrid=False)
    return figure


def costs(evidence: Evidence) -> Figure:
    """Train loss over epochs, every arm at its best learning rate."""
    figure = _over_steps(evidence, lambda curve: curve.costs)
    figure.update_yaxes(log_axis(heights(figure)), title="training cost")
    return plain(figure)


def metrics(evidence: Evidence) -> Figure:
    """Test metric over epochs; the first few, which all pass through low values, are cut off below."""
    figure = _over_steps(evidence, lambda curve: curve.metrics)
    ends = [Band.over(row[-1] for row in curve.metrics) for curve in evidence.curves]
    best, worst = max(band.high for band in ends), min(band.low for band in ends)
    room = max(best - worst, 1e-3)
    figure.update_yaxes(title=f"test {html.escape(evidence.metric)}", range=[worst - 2 * room, best + room / 2])
    return plain(figure)


def rates(evidence: Evidence) -> Figure:
    """Average cost over learning rates, on the seeds of the search."""
    figure = graph_objects.Figure()
    chosen = colours([curve.label for curve in evidence.curves])
    for curve in evidence.curves:
        cells = [cell for cell in evidence.grid if cell.arm == curve.arm]
        bands = [Band.over(cell.average) for cell in cells]
        figure.add_traces(_line([cell.rate for cell in cells], bands, curve.label, chosen[curve.label], True))
    figure.update_xaxes(_RATES, title="learning rate")
    figure.update_yaxes(log_axis(heights(figure)), title="average cost")
    return plain(figure)


def panels(evidence: Evidence, values: Callable[[Cell], Sequence[float]]) -> Figure:
    """Cost over learning rates, a panel for each setting; what diverged counts as much as the untrained model."""
    names = list(dict.fromkeys(cell.panel for cell in evidence.grid))
    columns = math.ceil(len(names) / 2)
    # Two lines, so that three panels fit a telephone.
    titles = [html.escape(name).replace(", ", "<br>") for name in names]
    figure = make_subplots(2, columns, True, True, subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=0.2)
    chosen = colours([cell.label for cell in evidence.grid])
    worst = median(evidence.untrained)
    for at, name in enumerate(names):
        for label, colour in chosen.items():
            cells = [cell for cell in evidence.grid if cell.panel == name and cell.label == label]
            bands = [Band.over(min(value, worst) for value in values(cell)) for cell in cells]
            for trace in _line([cell.rate for cell in cells], bands, label, colour, True):
                figure.add_trace(trace, row=1 + at // columns, col=1 + at % columns)
    figure.update_xaxes(_RATES)
    figure.update_xaxes(title="learning rate", row=2)
    figure.update_yaxes(title="training cost", col=1)
    figure.update_layout(margin={"l": 8, "r": 12, "t": 44, "b": 8})
    return plain(figure)


def heatmaps(evidence: Evidence) -> Figure:
    """Median test error, in percent, over learning rate and the arms of each panel; both maps on one scale."""
    names = list(dict.fromkeys(cell.panel for cell in evidence.grid))
    figure = make_subplots(
        rows=1, cols=len(names), subplot_titles=[html.escape(name) for name in names], horizontal_spacing=0.12
    )
    tables = []
    for name in names:
        labels = list(dict.fromkeys(cell.label for cell in evidence.grid if cell.panel == name))
        by_place = {(cell.label, cell.rate): cell for cell in evidence.grid if cell.panel == name}
        rows = [[100 * (1 - median(by_place[label, rate].metric)) for rate in evidence.rates] for label in labels]
        tables.append((labels, rows))
    low = min(value for _, rows in tables for row in rows for value in row)
    # Above three times the least error, how bad it is makes no difference to where the basin lies.
    for at, (labels, rows) in enumerate(tables):
        figure.add_trace(
            graph_objects.Heatmap(
                x=[f"{rate:g}" for rate in evidence.rates],
                y=[html.escape(label) for label in labels],
                z=rows,
                text=[[f"{value:.1f}" for value in row] for row in rows],
                texttemplate="%{text}",
                zmin=low,
                zmax=min(3 * low, 100),
                colorscale="Viridis_r",
                colorbar={"thickness": 10, "outlinewidth": 0, "ticksuffix": " %"},
                showscale=at == len(tables) - 1,
                hovertemplate="lr %{x}, decay %{y}: %{z:.2f} % wrong<extra></extra>",
            ),
            row=1,
            col=at + 1,
        )
    figure.update_xaxes(type="category", title="learning rate", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False)
    figure.update_yaxes(title="weight decay", col=1)
    figure.update_layout(margin={"l": 8, "r": 12, "t": 30, "b": 8})
    return plain(figure)
