"""Charts of runs at several settings: sensitivity to the learning rate, score against budget, performance profile."""

import math
from collections.abc import Mapping, Sequence

from plotly import graph_objects
from plotly.subplots import make_subplots

from adamas.lab.analysis import Band
from adamas.lab.budget import best_after
from adamas.lab.profiles import Profile
from adamas.lab.report import palette
from adamas.lab.report.charts import Figure, finite, heights, label, log_axis, plain
from adamas.lab.report.sweeps import Trial

_LOG = {"type": "log", "tickformat": "~g", "dtick": 1}


def band_of(x: Sequence[float], bands: Sequence[Band], colour: str, key: str) -> graph_objects.Scatter:
    """The area between low and high; where either is infinite there is none."""
    kept = [(at, band) for at, band in zip(x, bands, strict=True) if math.isfinite(band.high)]
    return graph_objects.Scatter(
        x=[*(at for at, _ in kept), *(at for at, _ in reversed(kept))],
        y=[*(band.high for _, band in kept), *(band.low for _, band in reversed(kept))],
        fill="toself",
        fillcolor=palette.translucent(colour, 0.13),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        meta={"key": key},
    )


def sensitivity(by_optimizer: Mapping[str, Sequence[Trial]]) -> Figure:
    """Cost over learning rate with the band over seeds; below it, the share of seeds that diverged."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.06)
    for optimizer, trials in by_optimizer.items():
        rates, colour = [trial.lr for trial in trials], palette.colour(optimizer)
        costs = [trial.cost for trial in trials]
        figure.add_trace(band_of(rates, costs, colour, optimizer), row=1, col=1)
        style = {"color": colour, "width": 2, "dash": palette.dash(optimizer)}
        common = {"x": rates, "name": label(optimizer), "line": style, "meta": {"key": optimizer}}
        figure.add_scatter(
            **common,
            y=finite([band.median for band in costs]),
            mode="lines+markers",
            marker={"size": 6},
            hovertemplate="%{fullData.name}, lr %{x:.3g}: %{y:.3g}<extra></extra>",
            row=1,
            col=1,
        )
        figure.add_scatter(
            **common,
            y=[100 * trial.diverged for trial in trials],
            mode="lines+markers",
            marker={"size": 5},
            hovertemplate="%{fullData.name}, lr %{x:.3g}: %{y:.0f} % diverged<extra></extra>",
            row=2,
            col=1,
        )
    figure.update_xaxes(_LOG, showgrid=False)
    figure.update_xaxes(title="learning rate", row=2, col=1)
    losses = [trial.cost.median for trials in by_optimizer.values() for trial in trials]
    figure.update_yaxes(log_axis(losses), title="mean train loss", row=1, col=1)
    figure.update_yaxes(title="diverged, %", range=[-8, 108], tickvals=[0, 100], row=2, col=1)
    return plain(figure)


def budget(by_optimizer: Mapping[str, Sequence[Trial]]) -> Figure:
    """What the best of k trials is expected to cost, with the band of 80 % of draws."""
    figure = graph_objects.Figure()
    for optimizer, trials in by_optimizer.items():
        scores = [trial.worth for trial in trials]
        expected = [best_after(scores, count) for count in range(1, len(scores) + 1)]
        bands = [Band(math.exp(each.mean), math.exp(each.low), math.exp(each.high)) for each in expected]
        counts, colour = list(range(1, len(bands) + 1)), palette.colour(optimizer)
        figure.add_trace(band_of(counts, bands, colour, optimizer))
        figure.add_scatter(
            x=counts,
            y=finite([band.median for band in bands]),
            name=label(optimizer),
            mode="lines+markers",
            marker={"size": 6},
            line={"color": colour, "width": 2, "dash": palette.dash(optimizer)},
            hovertemplate="%{fullData.name}, best of %{x}: %{y:.3g}<extra></extra>",
            meta={"key": optimizer},
        )
    figure.update_xaxes(title="trials", dtick=1 if max(map(len, by_optimizer.values())) <= 20 else None, showgrid=False)
    figure.update_yaxes(log_axis(heights(figure)), title="mean train loss of the best")
    return plain(figure)


def profiles(found: Sequence[Profile]) -> Figure:
    """Share of workloads on which an optimizer is within a factor of the best, over that factor."""
    figure = graph_objects.Figure()
    ratios = [ratio for each in found for ratio in each.ratios.values() if math.isfinite(ratio)]
    end = 1.1 * max([2.0, *ratios])
    for each in found:
        corners = sorted({1.0, *(ratio for ratio in each.ratios.values() if math.isfinite(ratio)), end})
        figure.add_scatter(
            x=corners,
            y=[100 * each.share(corner) for corner in corners],
            name=label(each.optimizer),
            mode="lines",
            line={
                "color": palette.colour(each.optimizer),
                "width": 2,
                "dash": palette.dash(each.optimizer),
                "shape": "hv",
            },
            hovertemplate="%{fullData.name}: %{y:.0f} % within %{x:.2f} times<extra></extra>",
            meta={"key": each.optimizer},
        )
    figure.update_xaxes(type="log", title="factor of the fewest steps to the target", showgrid=False, dtick="D2")
    figure.update_yaxes(title="workloads, %", range=[-3, 103])
    return plain(figure)
