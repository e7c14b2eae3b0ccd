"""Draw the code maps of the formats, from the formats themselves: every code is read, and what it stands for is drawn.

    python tools/code_maps.py docs/formats      (make pages)

Each picture has the relative distance of neighbouring numbers over their size, both on logarithmic scales, and below
it a mark for every number there is. For formats with blocks, sizes are shares of the block's largest number.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch

from adamas.formats import BFLOAT16, INT4, INT8, Format, Stored

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 380, 250, 52, 34, 56, 20
INK, GRID = "#333", "#ddd"
COLOURS = ("#2563eb", "#d97706", "#059669")

Steps = list[tuple[float, float]]
"""Sizes, ascending, and by which share each is above the next smaller one."""


def numbers(form: Format, codes: torch.Tensor, signed: bool) -> list[float]:
    """The positive numbers that codes stand for, each in a block of its own whose scale is 1, ascending."""
    codes = codes.view(-1, 1)
    scale = torch.ones(len(codes), 1) if form.blockwise else None
    if form is INT4 and signed:
        assert scale is not None
        scale = scale.bfloat16()
    read = form.read(Stored(form, codes, scale, signed, torch.Size((len(codes), 1))), torch.float64)
    return sorted({value for value in read.flatten().tolist() if 0 < value <= 1})


def place(value: float, low: float, high: float, start: float, end: float) -> float:
    """Where a number is on a logarithmic scale from `low` at `start` to `high` at `end`."""
    share = math.log(value / low) / math.log(high / low)
    return round(start + share * (end - start), 1)


def decades(low: float, high: float) -> list[int]:
    """The powers of ten from `low` to `high`, every one, or as many as there is room for."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return list(range(last, first - 1, -max(1, (last - first) // 5)))


def raised(power: int) -> str:
    """A power of ten in SVG."""
    return f'10<tspan dy="-4" font-size="9">{power}</tspan>' if power else "1"


def panel(
    title: str,
    lines: Sequence[tuple[str, Steps]],
    low: float,
    gaps: tuple[float, float],
    marks: Sequence[float] = (),
    left: float = 0,
) -> str:
    """One diagram, `left` of the picture's edge. Sizes go from `low` to 1, distances between `gaps`."""
    x0, x1, y0, y1 = left + LEFT, left + WIDTH - 8, HEIGHT - BOTTOM, TOP
    out = [f'<text x="{x0}" y="18" font-weight="bold">{title}</text>']
    for power in decades(low, 1):
        x = place(10.0**power, low, 1, x0, x1)
        out.append(f'<path d="M{x} {y0}V{y1}" stroke="{GRID}"/>')
        out.append(f'<text x="{x}" y="{y0 + 32}" text-anchor="middle">{raised(power)}</text>')
    for power in decades(*gaps):
        y = place(10.0**power, *gaps, y0, y1)
        out.append(f'<path d="M{x0} {y}H{x1}" stroke="{GRID}"/>')
        out.append(f'<text x="{x0 - 6}" y="{y + 4}" text-anchor="end">{raised(power)}</text>')
    for at, (name, pairs) in enumerate(lines):
        ends = [(x, min(max(y, gaps[0]), gaps[1])) for x, y in pairs if x >= low]
        points = " ".join(f"{place(x, low, 1, x0, x1)},{place(y, *gaps, y0, y1)}" for x, y in ends)
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[at]}" stroke-width="1.5"/>')
        out.append(f'<text x="{x0 + 8 + 90 * at}" y="{TOP + 14}" fill="{COLOURS[at]}">{name}</text>')
    rug = "".join(f"M{place(each, low, 1, x0, x1)} {y0 + 4}v10" for each in marks if each >= low)
    out.append(f'<path d="{rug}" stroke="{COLOURS[0]}" stroke-width="0.7"/>' if rug else "")
    return "".join(out)


def picture(path: Path, caption: str, panels: Sequence[str]) -> None:
    """Write an SVG file of panels side by side."""
    width = len(panels) * WIDTH + (len(panels) - 1) * GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
    style = f'font-family="sans-serif" font-size="11" fill="{INK}"'
    back = f'<rect width="{width}" height="{HEIGHT}" fill="#fff"/>'
    said = f'<text x="{LEFT}" y="{HEIGHT - 6}">{caption}</text>'
    body = "".join(panels)
    path.write_text(f"{head} {style}>\n<title>{caption}</title>{back}\n{body}\n{said}\n</svg>\n", encoding="utf-8")


def steps(values: Sequence[float]) -> Steps:
    """What is drawn of numbers."""
    return [(b, b / a - 1) for a, b in pairwise(values)]


def binary(bits: int) -> Steps:
    """What is drawn of numbers from 1/16 to 1 with `bits` bits after the leading one, at some places."""
    places = [2.0 ** (octave + at / 50) for octave in (-4, -3, -2, -1) for at in range(50)]
    return [(x, 2.0 ** (math.floor(math.log2(x)) - bits) / x) for x in places]


def blockwise(path: Path, form: Format, codes: tuple[torch.Tensor, torch.Tensor], lows: tuple[float, float]) -> None:
    """Draw a format with blocks: codes of m and of v, and the smallest sizes to show of them."""
    m, v = (numbers(form, each, signed) for each, signed in zip(codes, (True, False), strict=True))
    gaps, right = (1e-3, 20), WIDTH + GAP
    panels = [
        panel(f"m: zero, and {len(m)} sizes of either sign", [("", steps(m))], lows[0], gaps, m),
        panel(f"v: {len(v)} sizes", [("", steps(v))], lows[1], gaps, v, right),
    ]
    picture(path, "size as a share of the block's largest; above it, the distance to the next smaller number", panels)


def main(folder: Path) -> None:
    """Draw all of them."""
    signed, unsigned = torch.arange(-127, 128).to(torch.int8), torch.arange(256).to(torch.uint8)
    blockwise(folder / "int8.svg", INT8, (signed, unsigned), (3e-5, 1e-10))
    words = torch.arange(16).to(torch.int32)
    blockwise(folder / "int4.svg", INT4, (words, words), (0.1, 4e-3))
    halves = numbers(BFLOAT16, torch.arange(1, 0x3F81).to(torch.int16).view(torch.bfloat16), True)
    size = "size; above it, the distance to the next smaller number"
    title = "bfloat16: 128 sizes an octave, 254 octaves"
    picture(folder / "bfloat16.svg", size, [panel(title, [("", steps(halves))], 0.01, (1e-3, 1e-1), halves)])
    lines = [("bfloat16", binary(7)), ("split24", binary(15)), ("split32", binary(23))]
    picture(folder / "split.svg", size, [panel("weights of 16, 24 and 32 bits", lines, 0.1, (1e-8, 1))])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
