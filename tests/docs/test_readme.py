"""The code in the README runs, from top to bottom, in one process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_readme_has_examples() -> None:
    assert len(BLOCKS) >= 3


def test_readme_runs() -> None:
    names: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS):
        try:
            exec(compile(block, f"README.md, example {number + 1}", "exec"), names)
        except Exception as error:
            pytest.fail(f"example {number + 1} of README.md: {error!r}")
