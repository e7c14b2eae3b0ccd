"""The pages of the site: every snippet runs, every public name is documented, what is generated is current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import adamas

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SNIPPET = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
PAGES = [
    page
    for page in (*DOCS.glob("*.md"), *DOCS.glob("concepts/*.md"), *DOCS.glob("howto/*.md"))
    if page.name not in ("design.md", "status.md", "sparse.md", "evidence.md")
    and SNIPPET.search(page.read_text("utf-8"))
]
CONCEPTS = sorted(page for page in (DOCS / "concepts").glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_run(page: Path) -> None:
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    for number, block in enumerate(SNIPPET.findall(page.read_text("utf-8")), 1):
        exec(compile(block, f"{page.name}, snippet {number}", "exec"), names)


@pytest.mark.parametrize("page", CONCEPTS, ids=lambda page: page.stem)
def test_an_idea_has_a_picture_a_snippet_and_a_workload(page: Path) -> None:
    text = page.read_text("utf-8")
    (picture,) = re.findall(r"\]\((\S+\.svg)\)", text)
    assert (page.parent / picture).read_text("utf-8").startswith("<svg")
    assert SNIPPET.search(text)
    assert "**In the lab:** " in text


def test_every_picture_has_a_command() -> None:
    listed = re.findall(r'^    "([\w-]+)": ', (ROOT / "tools/concepts/__main__.py").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == [page.stem for page in CONCEPTS]


def public(module: ModuleType) -> set[str]:
    """Return the public names of a module and of the modules in it, by the shortest way to them."""
    found = set()
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            found |= {
                f"{name}.{inner}"
                for inner in value.__all__
                if getattr(adamas, inner, None) is not getattr(value, inner)
            }
        else:
            found.add(name)
    return found


def test_every_public_name_is_documented() -> None:
    text = "\n".join(page.read_text("utf-8") for page in DOCS.rglob("*.md"))
    documented = {name.removeprefix("adamas.") for name in re.findall(r"^::: (\S+)", text, re.MULTILINE)}
    same = {name for name in documented if getattr(adamas, name.split(".")[-1], None) is not None}
    assert public(adamas) - documented - same == set()
    for name in public(adamas):
        value: Any = adamas
        for part in name.split("."):
            value = getattr(value, part)
        assert value.__doc__, name


def test_generated_pages_are_current(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "optimizer_pages.py", tmp_path], check=True)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.md"))
    assert len(made) == 12
    for path in made:
        assert (tmp_path / path).read_text("utf-8") == (DOCS / path).read_text("utf-8"), f"{path}: make pages"


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"^ *- ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"evidence/README.md"}
    assert there == listed
