"""Keeps a printed file current: writes it anew, or with ``--check`` only says whether it is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def write_or_check(
    module: str, path: Path, printed: Callable[[], str], summary: str | None, arguments: list[str] | None
) -> int:
    """Run the command line of a printer; return its exit status.

    Args:
        module: the printer, as ``python -m`` has it.
        path: the file that it prints.
        printed: gives the file's text.
        summary: what ``--help`` says of it.
        arguments: those of the command line; None: the program's own.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=summary)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is out of date")
    check = parser.parse_args(arguments).check
    text = printed()
    current = path.exists() and path.read_text(encoding="utf-8") == text
    if check:
        print(f"{path.name} is {'current' if current else f'out of date: run python -m {module}'}")
        return 0 if current else 1
    path.write_text(text, encoding="utf-8")
    return 0
