"""The page: one offline HTML file out of tables, charts, pictures and words.

Whoever makes a page says what is on it; how it looks, sorts, toggles and prints is here, in the template, the
style sheet and the script. The template escapes all it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from plotly.offline import get_plotlyjs

from adamas.lab.environment import Environment
from adamas.lab.templates import templates_in


@dataclass(frozen=True)
class Cell:
    """A table cell.

    Args:
        shown: what it says.
        key: what sorting goes by; by default what it says.
        mark: a standing or verdict, shown as a coloured label.
        colour: of a dot before it.
    """

    shown: str
    key: float | str | None = None
    mark: str = ""
    colour: str = ""

    @property
    def sort_key(self) -> float | str:
        """What sorting goes by."""
        return self.shown if self.key is None else self.key


@dataclass(frozen=True)
class Table:
    """A table that sorts by every column.

    Args:
        label: what it is, for screen readers.
        columns: headers.
        rows: cells, the first of which names its row.
        words: number of leading columns that hold words; the others hold numbers.
        wrap: the first column holds sentences, so its lines may break.
    """

    kind: ClassVar[str] = "table"
    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int = 1
    wrap: bool = False


@dataclass(frozen=True)
class Chart:
    """A plotly figure.

    Args:
        heading: what it shows.
        figure: the figure as plain data.
        note: what to see in it, in a sentence.
        height: in pixels.
        curves: whether its horizontal axis can be switched between steps and time.
        wide: whether it takes a whole row.
    """

    kind: ClassVar[str] = "chart"
    heading: str
    figure: dict[str, Any]
    note: str = ""
    height: int = 340
    curves: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Strip:
    """Small grey images side by side, drawn pixel by pixel.

    Args:
        name: what this row of a gallery shows.
        data: `width`, `height`, `count`, `signed` and `pixels`, the last as rows of 0 to 255 in one string of hex.
    """

    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Gallery:
    """Rows of images under a heading."""

    kind: ClassVar[str] = "gallery"
    heading: str
    note: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Words:
    """Paragraphs under a heading, as written, line breaks kept."""

    kind: ClassVar[str] = "words"
    heading: str
    note: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Charts, galleries and words side by side, folded away where `summary` names them."""

    kind: ClassVar[str] = "group"
    parts: tuple[Chart | Gallery | Words, ...]
    summary: str = ""
    unfolded: bool = True


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        title: its heading.
        parts: what it shows, in order.
        facts: what holds for all of it, in small print.
        finding: what it says, in a sentence.
        points: further sentences, as a list.
        legend: keys, labels and colours of what can be hidden in this section only.
    """

    title: str
    parts: tuple[Table | Group, ...]
    facts: str = ""
    finding: str = ""
    points: tuple[str, ...] = ()
    legend: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page.

    Args:
        title: of the browser's window.
        heading: of the page.
        lead: what it is about, in a sentence.
        sections: its parts.
        notes: how to read it.
        command: the command line that makes the same numbers again.
        environments: where the runs ran; of several, times can't be compared.
        engines: engines that trained.
        listing: all runs, folded away.
        legend: keys, labels and colours of what can be hidden everywhere.
        time_axis: whether curves can be shown over time.
    """

    title: str
    heading: str
    lead: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    command: str
    environments: Sequence[Environment]
    engines: Sequence[str]
    listing: Table | None = None
    legend: tuple[tuple[str, str, str], ...] = ()
    time_axis: bool = False


def render(page: Page) -> str:
    """Makes one HTML document that loads nothing from anywhere.

    Returns:
        The document; about 5 MB, nearly all of it plotly.js.
    """
    template = templates_in("adamas.lab.report").get_template("template.html.jinja")
    return template.render(page=page, plotly_js=get_plotlyjs())
