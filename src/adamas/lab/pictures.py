"""Pictures of a trained model: small, plain values that are kept with a run and drawn by the report.

A picture is numbers and words, never a file: the report chooses how it looks, and escapes what it shows.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor

LARGEST = 50_000
"""Most characters one picture may have as JSON: runs are kept by the hundred."""

Rows = tuple[tuple[float, ...], ...]


class Picture(BaseModel):
    """Something to look at.

    Args:
        kind: `images`: small grey images in [0, 1]; `heatmap`: one matrix; `lines` and `bars`: one row of
            values per series; `text`: paragraphs.
        title: what it shows, in a few words.
        caption: what to see in it, in a sentence.
        values: a matrix, or for `images` a tuple of matrices, laid out row by row.
        rows: what the matrix's rows (the series) are; for `images` the rows of the layout, all equally long.
        columns: what the matrix's columns are; may be left out.
        texts: the paragraphs of a `text`.

    Example:
        >>> Picture(kind="bars", title="Gradients", values=((1.0, 0.5),), rows=("sigmoid",), columns=("1", "2")).rows
        ('sigmoid',)
    """

    # What diverged may be NaN, and JSON has no word for it.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    kind: Literal["images", "heatmap", "lines", "bars", "text"]
    title: str
    caption: str = ""
    values: Rows | tuple[Rows, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> "Picture":
        if (self.kind == "text") != bool(self.texts) or (self.kind == "text") == bool(self.values):
            raise ValueError("a text has texts and no values, every other picture values and no texts")
        depth = _depth(self.values)
        if self.kind != "text" and depth != (3 if self.kind == "images" else 2):
            raise ValueError(f"{self.kind} can't show values that are nested {depth} deep")
        if self.kind == "images" and self.rows and len(self.values) % len(self.rows):
            raise ValueError(f"{len(self.values)} images don't make {len(self.rows)} equal rows")
        if depth == 2 and self.rows and len(self.rows) != len(self.values):
            raise ValueError(f"{len(self.values)} rows of values, {len(self.rows)} names for them")
        if depth == 2 and self.columns and any(len(row) != len(self.columns) for row in self.values):
            raise ValueError(f"not every row has a value for each of the {len(self.columns)} columns")
        if (size := len(self.model_dump_json())) > LARGEST:
            raise ValueError(f"{size} characters are too many for a picture, the most is {LARGEST}")
        return self


def _depth(values: object) -> int:
    depth = 0
    while isinstance(values, tuple):
        values, depth = values[0] if values else None, depth + 1
    return depth


def _rounded(values: Tensor | Sequence[Sequence[float]], digits: str) -> Rows:
    rows = values.tolist() if isinstance(values, Tensor) else values
    return tuple(tuple(float(format(value, digits)) for value in row) for row in rows)


def matrix(values: Tensor | Sequence[Sequence[float]]) -> Rows:
    """A matrix to four significant digits, as a picture keeps it.

    Example:
        >>> matrix([[1 / 3, 2e-7 / 3]])
        ((0.3333, 6.667e-08),)
    """
    return _rounded(values, ".4g")


def images(title: str, rows: Mapping[str, Tensor], caption: str = "") -> Picture:
    """A gallery of grey images, one named row of `(count, height, width)` after the other.

    Values are clipped to [0, 1] and kept to two digits: a screen shows no more.

    Example:
        >>> import torch
        >>> images("Ones", {"as given": torch.ones(1, 1, 2)}).values
        (((1.0, 1.0),),)
    """
    gallery = (_rounded(image.clamp(0, 1), ".2f") for row in rows.values() for image in row)
    return Picture(kind="images", title=title, caption=caption, values=tuple(gallery), rows=tuple(rows))


def series(
    kind: Literal["lines", "bars"],
    title: str,
    rows: Mapping[str, Sequence[float]],
    columns: Sequence[str] = (),
    caption: str = "",
) -> Picture:
    """Lines or bars, one named series of values after the other.

    Example:
        >>> series("bars", "Dead units", {"relu": [0.25]}, ["layer 1"]).values
        ((0.25,),)
    """
    values = matrix(list(rows.values()))
    return Picture(kind=kind, title=title, caption=caption, values=values, rows=tuple(rows), columns=tuple(columns))
