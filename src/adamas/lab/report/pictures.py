"""Pictures that workloads drew, as parts of a page."""

import html
from collections.abc import Sequence

from plotly import graph_objects

from adamas.lab.pictures import Picture
from adamas.lab.report.charts import plain
from adamas.lab.report.page import Chart, Gallery, Strip, Words
from adamas.lab.report.palette import PICTURES

Rows = Sequence[Sequence[float]]


def _strip(name: str, images: Sequence[Rows], low: float, high: float) -> Strip:
    """A row of a gallery, its values as bytes from black to white, or around the middle where they have a sign."""
    signed = low < 0
    start, span = (-max(-low, high), 2 * max(-low, high)) if signed else (low, high - low)
    flat = [value for image in images for row in image for value in row]
    # What is not a number is drawn as the lowest.
    levels = [min(255, max(0, round(255 * (value - start) / (span or 1)))) if value == value else 0 for value in flat]
    data = {
        "width": len(images[0][0]),
        "height": len(images[0]),
        "count": len(images),
        "signed": signed,
        "pixels": bytes(levels).hex(),
    }
    return Strip(name, data)


def _gallery(picture: Picture) -> Gallery:
    images: Sequence[Rows] = picture.values  # type: ignore[assignment]
    values = [value for image in images for row in image for value in row if value == value]
    low, high = min(0.0, *values), max(values)
    names = picture.rows or ("",)
    count = len(images) // len(names)
    strips = [_strip(name, images[at * count : (at + 1) * count], low, high) for at, name in enumerate(names)]
    return Gallery(picture.title, picture.caption, tuple(strips))


def _names(names: Sequence[str], count: int) -> list[str]:
    # Plotly reads a subset of HTML in labels.
    return [html.escape(name) for name in names] or [str(at) for at in range(1, count + 1)]


def _heatmap(picture: Picture) -> graph_objects.Figure:
    rows: Rows = picture.values  # type: ignore[assignment]
    figure = graph_objects.Figure()
    figure.add_heatmap(
        z=[[value if value == value else None for value in row] for row in rows],
        x=list(range(len(rows[0]))),
        y=list(range(len(rows))),
        colorscale="Viridis",
        colorbar={"thickness": 10, "outlinewidth": 0},
        hovertemplate="%{y}, %{x}: %{z:.3g}<extra></extra>",
    )
    for axis, names in (("xaxis", picture.columns), ("yaxis", picture.rows)):
        figure.update_layout({axis: {"showgrid": False, "showticklabels": bool(names), "ticks": ""}})
        if names:
            # Names may repeat, as letters of a text do, so they are put on numbers.
            ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": _names(names, 0)}
            figure.update_layout({axis: ticks})
    figure.update_yaxes(autorange="reversed")
    return figure


def _series(picture: Picture) -> graph_objects.Figure:
    rows: Rows = picture.values  # type: ignore[assignment]
    figure = graph_objects.Figure()
    columns = _names(picture.columns, max(map(len, rows)))
    for at, (name, row) in enumerate(zip(_names(picture.rows, len(rows)), rows, strict=True)):
        colour = PICTURES[at % len(PICTURES)]
        common = {"x": columns[: len(row)], "y": list(row), "name": name}
        if picture.kind == "bars":
            figure.add_bar(**common, marker={"color": colour})
        else:
            figure.add_scatter(**common, mode="lines", line={"color": colour, "width": 2})
    positive = [value for row in rows for value in row if value == value]
    if min(positive) > 0 and max(positive) / min(positive) > 100:
        figure.update_yaxes(type="log", tickformat="~g", dtick=1)
    figure.update_xaxes(showgrid=False, type="category" if picture.columns else "linear")
    figure.update_layout(bargap=0.25)
    return figure


def part(picture: Picture) -> Chart | Gallery | Words:
    """What a page shows for a picture."""
    if picture.kind == "images":
        return _gallery(picture)
    if picture.kind == "text":
        return Words(picture.title, picture.caption, picture.texts)
    if picture.kind == "heatmap":
        return Chart(picture.title, plain(_heatmap(picture)), picture.caption, height=320)
    figure = _series(picture)
    figure.update_layout(meta={"legend": len(picture.rows) > 1})
    return Chart(picture.title, plain(figure), picture.caption, height=300)
