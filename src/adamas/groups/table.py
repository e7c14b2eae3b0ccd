"""Groups that can be printed: what becomes of every parameter, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Fate(NamedTuple):
    """What becomes of one parameter.

    Attributes:
        name: the parameter's, with those that are tied to it.
        shape: its shape.
        group: the number of its group; None if it is left out.
        settings: the hyper-parameters that its group names.
        why: what decided them.
    """

    name: str
    shape: tuple[int, ...]
    group: int | None
    settings: dict[str, Any]
    why: str

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows."""
        settings = ", ".join(f"{key}={_short(value)}" for key, value in self.settings.items())
        group = "-" if self.group is None else str(self.group)
        return (group, self.name, " x ".join(map(str, self.shape)) or "1", settings, self.why)


_COLUMNS = ("group", "parameter", "shape", "settings", "why")


class ParamGroups(list[dict[str, Any]]):
    """Parameter groups for an optimizer. Printed, they are a table of every parameter's fate.

    Attributes:
        fates: what becomes of each parameter, in the order of the model.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], fates: Sequence[Fate]) -> None:
        super().__init__(groups)
        self.fates = list(fates)

    def __str__(self) -> str:
        rows = [_COLUMNS, *(fate.cells() for fate in self.fates)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:], "", self._summary()])

    def __rich__(self) -> Any:
        """Return a table for ``rich.print``."""
        from rich.table import Table  # only rich asks for it, so it is there
        from rich.text import Text

        table = Table(*_COLUMNS, caption=self._summary())
        for fate in self.fates:
            decays = fate.settings.get("weight_decay", 0) != 0
            style = "dim" if fate.group is None else "" if decays else "cyan"
            table.add_row(*(Text(cell) for cell in fate.cells()), style=style)
        return table

    def _summary(self) -> str:
        decaying = sum(_numel(fate) for fate in self.fates if fate.settings.get("weight_decay"))
        whole = sum(_numel(fate) for fate in self.fates)
        names = len(self.fates)
        return f"{names} parameters in {len(self)} groups; {decaying:,} of {whole:,} numbers decay"


def _numel(fate: Fate) -> int:
    count = 1
    for size in fate.shape:
        count *= size
    return count


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
