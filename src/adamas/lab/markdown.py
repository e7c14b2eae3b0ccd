"""Tables as pages of the documentation keep them."""

from collections.abc import Sequence

from adamas.lab.environment import environment


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right.

    Example:
        >>> print(table(["format", "error"], [["int8", "0.03"]]))
        | format | error |
        | --- | ---: |
        | int8 | 0.03 |
    """
    rule = ["---", *["---:"] * (len(headers) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headers, rule, *rows))


def page(title: str, words: str, tables: Sequence[tuple[str, str]], command: str) -> str:
    """A page of tables, each under a heading, that says what made it and where.

    Args:
        title: its heading.
        words: what stands before the tables.
        tables: heading and table.
        command: what makes it again.
    """
    here = environment()
    made = f"Made by `{command}` (torch {here.torch}, {here.processor})."
    parts = [f"# {title}", words, made, *(part for heading, each in tables for part in (f"## {heading}", each))]
    return "\n\n".join(parts) + "\n"
