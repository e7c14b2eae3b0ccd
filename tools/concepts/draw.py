"""Pictures as SVG: curves, pictures of pixels, bars. Legible on light and dark paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#cf4a42", "#2f7fc1", "#2f9e77", "#c98a1b", "#8a5cc2", "#7b8494")
INK, SOFT, GRID, PAPER = "#1b1f27", "#5a6270", "#e6e7e1", "#ffffff"
LEFT, RIGHT, TOP, BOTTOM = 62, 18, 56, 46
GROUND = "#c9cdd2"


@dataclass(frozen=True)
class Curve:
    """A line of a chart, with a dot at every point if ``dots``; one without a name is grey, and not in the legend."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis: what it shows, and whether by its logarithm; ``ends`` instead of those of the data."""

    label: str
    log: bool = False
    ends: tuple[float, float] | None = None

    def scale(self, values: Sequence[float]) -> tuple[float, float]:
        """Return where the axis begins and ends, logarithms taken."""
        low, high = self.ends or (min(values), max(values))
        low, high = self.place(low), self.place(high)
        room = 0.0 if self.ends else 0.04 * (high - low or 1.0)
        return low - room, high + room

    def place(self, value: float) -> float:
        """Return a value on the axis' own scale."""
        return math.log10(value) if self.log else value

    def ticks(self, low: float, high: float) -> list[tuple[float, str]]:
        """Return places of round numbers, and these."""
        if self.log and high - low > 1.2:
            every = max(1, round((high - low) / 5))
            powers = [power for power in range(math.ceil(low), math.floor(high) + 1) if power % every == 0]
            return [(power, f"{10.0**power:g}") for power in powers]
        first, last = (10.0**low, 10.0**high) if self.log else (low, high)
        rough = (last - first) / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        by = next(times * unit for times in (1, 2, 5, 10) if times * unit >= rough * 0.999)
        values = [number * by for number in range(math.ceil(first / by), math.floor(last / by) + 1)]
        return [(self.place(value), f"{value:.6g}") for value in values if value > 0 or not self.log]


def page(title: str, body: Sequence[str], width: int, height: int) -> str:
    """Return an SVG document."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="13" fill="{SOFT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
            *body,
            "</svg>\n",
        )
    )


def text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    """Return a line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def panel(curves: Sequence[Curve], x: Axis, y: Axis, box: tuple[float, float, float, float], title: str) -> list[str]:
    """Return a chart in a box of left, top, width and height."""
    left, right = box[0] + LEFT, box[0] + box[2] - RIGHT
    top, bottom = box[1] + TOP, box[1] + box[3] - BOTTOM
    x0, x1 = x.scale([value for curve in curves for value in curve.x])
    y0, y1 = y.scale([value for curve in curves for value in curve.y])
    across = lambda value: left + (x.place(value) - x0) / (x1 - x0) * (right - left)  # noqa: E731
    up = lambda value: bottom - (y.place(value) - y0) / (y1 - y0) * (bottom - top)  # noqa: E731
    bold = f' font-weight="600" font-size="15" fill="{INK}"'
    out = [text(left, box[1] + 22, title, more=bold)]
    for place, words in x.ticks(x0, x1):
        at = left + (place - x0) / (x1 - x0) * (right - left)
        out += [f'<path d="M{at:.1f} {bottom}V{top}" stroke="{GRID}"/>', text(at, bottom + 18, words, "middle")]
    for place, words in y.ticks(y0, y1):
        at = bottom - (place - y0) / (y1 - y0) * (bottom - top)
        out += [f'<path d="M{left} {at:.1f}H{right}" stroke="{GRID}"/>', text(left - 7, at + 4, words, "end")]
    out.append(text((left + right) / 2, bottom + 37, x.label, "middle"))
    out.append(text(left, top - 7, y.label))
    names = [curve.name for curve in curves if curve.name]
    for curve in curves:
        inside = [(across(a), min(max(up(b), top - 2), bottom + 2)) for a, b in zip(curve.x, curve.y, strict=True)]
        out += line(inside, COLOURS[names.index(curve.name)] if curve.name else GROUND, curve)
    return [*out, *legend(names, right, top)]


def line(points: Sequence[tuple[float, float]], colour: str, curve: Curve) -> list[str]:
    """Return a curve through points of the picture."""
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dash = ' stroke-dasharray="6 4"' if curve.dashed else ""
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dash}/>'
    dots = [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.8" fill="{colour}"/>' for a, b in points] if curve.dots else []
    return [drawn, *dots]


def legend(names: Sequence[str], right: float, top: float) -> list[str]:
    """Return names in their colours, in a line above a chart's right end."""
    spans = (f'<tspan fill="{COLOURS[at]}" dx="14">{escape(name)}</tspan>' for at, name in enumerate(names))
    row = f'<text x="{right}" y="{top - 7}" text-anchor="end" font-size="12" font-weight="600">{"".join(spans)}</text>'
    return [row] if names else []


def chart(title: str, curves: Sequence[Curve], x: Axis, y: Axis, width: int = 640, height: int = 340) -> str:
    """Return a picture of one chart."""
    return page(title, panel(curves, x, y, (0, 0, width, height), title), width, height)


def charts(title: str, panels: Sequence[tuple[str, Sequence[Curve], Axis, Axis]], height: int = 320) -> str:
    """Return a picture of charts side by side."""
    wide = 400
    body: list[str] = []
    for at, (name, curves, x, y) in enumerate(panels):
        body += panel(curves, x, y, (wide * at, 0, wide, height), name)
    return page(title, body, wide * len(panels), height)


def images(title: str, rows: Sequence[tuple[str, Sequence[Sequence[Sequence[float]]]]], size: int = 56) -> str:
    """Return rows of grey pictures: values from 0, paper, to 1, ink."""
    label, gap, top = 150, 6, 40
    columns = max(len(row) for _, row in rows)
    width, height = max(label + columns * (size + gap) + 12, 28 + 8 * len(title)), top + len(rows) * (size + gap) + 10
    out = [text(14, 24, title, more=f' font-weight="600" font-size="15" fill="{INK}"')]
    for at, (name, row) in enumerate(rows):
        y = top + at * (size + gap)
        out.append(text(14, y + size / 2 + 4, name))
        for place, image in enumerate(row):
            out += pixels(image, label + place * (size + gap), y, size)
    return page(title, out, width, height)


def pixels(image: Sequence[Sequence[float]], x: float, y: float, size: float) -> list[str]:
    """Return one picture, a square for each pixel; pixels of no ink are left to the ground."""
    side = size / len(image)
    out = [f'<rect x="{x:.1f}" y="{y:.1f}" width="{size}" height="{size}" fill="#f1f2ee"/>']
    for i, row in enumerate(image):
        for j, value in enumerate(row):
            if value > 0.02:
                place = f'x="{x + j * side:.1f}" y="{y + i * side:.1f}" width="{side:.2f}" height="{side:.2f}"'
                out.append(f'<rect {place} fill="#16324f" fill-opacity="{min(value, 1.0):.2f}"/>')
    return out


def bars(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]], unit: str) -> str:
    """Return groups of bars, each bar with its name and number."""
    rows = sum(len(group) for _, group in groups) + len(groups)
    width, height, left, by = 640, 48 + 25 * rows, 190, 25
    most = max(value for _, group in groups for _, value in group)
    out = [text(14, 24, title, more=f' font-weight="600" font-size="15" fill="{INK}"')]
    y = 40
    for at, (name, group) in enumerate(groups):
        out.append(text(14, y + 17, name, more=f' font-weight="600" fill="{INK}"'))
        y += by
        for label, value in group:
            wide = max(1.0, value / most * (width - left - 110))
            out.append(text(left - 8, y + 15, label, "end"))
            out.append(f'<rect x="{left}" y="{y + 3}" width="{wide:.1f}" height="16" rx="3" fill="{COLOURS[at]}"/>')
            out.append(text(left + wide + 7, y + 15, f"{value:.3g} {unit}"))
            y += by
    return page(title, out, width, height)
