"""The pages of the formats: there is one for each, and its picture is what the format's code says now."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "formats"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    subprocess.run([sys.executable, ROOT / "tools" / "code_maps.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", ["bfloat16", "int8", "int4", "split"])
def test_the_picture_is_current(drawn: Path, name: str) -> None:
    assert (drawn / f"{name}.svg").read_text() == (PAGES / f"{name}.svg").read_text(), "make pages"
    assert f"({name}.svg)" in (PAGES / f"{name}.md").read_text()


def test_pictures_show_every_code(drawn: Path) -> None:
    """127 and 255 codes, 7 and 16: the marks that are within the picture."""
    for name, counts in (("int8", [127, 255]), ("int4", [7, 16])):
        rugs = re.findall(r'<path d="([^"]*)" stroke="#2563eb" stroke-width="0.7"', (drawn / f"{name}.svg").read_text())
        assert [rug.count("M") for rug in rugs] == counts


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^):]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
