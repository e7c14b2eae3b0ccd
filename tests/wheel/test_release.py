"""What a release promises: a library without Python, one version, and a page of licences that is current."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from packaging.utils import canonicalize_name

import adamas
from adamas.engines import library
from tools.release.licences import extras, is_here, licence, needs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.+) \| ([a-z0-9-]+) \| (.+) \|$", PAGE, re.MULTILINE)[1:]
COPYLEFT = re.compile(r"\bA?L?GPL|\bMPL|GNU|Mozilla")


def test_one_version() -> None:
    (stated,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert adamas.__version__ == stated


def test_all_that_is_needed_is_on_the_page() -> None:
    needed = {
        (extra or "the core", canonicalize_name(each.name)) for extra in extras() for each in needs("adamas", extra)
    }
    assert {(extra, name) for extra, name, _ in ROWS} == needed, "make sbom"


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_no_licence_has_become_another_kind(row: tuple[str, str, str]) -> None:
    """The words for the same licence do change; whether it is a copyleft, hardly."""
    if not is_here(row[1]):
        pytest.skip("not installed")
    assert bool(COPYLEFT.search(licence(row[1]))) == bool(COPYLEFT.search(row[2])), f"{licence(row[1])}: make sbom"


def test_copyleft_is_named() -> None:
    """In no part of the core, and where it is elsewhere the page says so below its table."""
    below = PAGE[PAGE.rindex("|\n") :]
    named = {name for _, name, said in ROWS if COPYLEFT.search(said)}
    assert named
    assert all(f"`{name}`" in below for name in named)
    assert [row for row in ROWS if row[0] == "the core"] == [row for row in ROWS if row[1] == "torch"]


@pytest.mark.skipif(sys.platform != "linux", reason="ELF")
def test_the_library_is_a_plain_c_one() -> None:
    pytest.importorskip("elftools")
    from tools.release.check import of_library

    path = library.find()
    assert path is not None
    assert of_library(path, "manylinux_2_17_x86_64") == []
    assert any("2, 14" in each for each in of_library(path, "manylinux_2_5_x86_64"))
    assert any("auditwheel" in each for each in of_library(path, "linux_x86_64"))


@pytest.mark.skipif(sys.platform != "linux", reason="ELF")
def test_a_library_that_knows_python_is_seen() -> None:
    pytest.importorskip("elftools")
    from tools.release.check import of_library

    wrong = "\n".join(of_library(Path(torch.__file__).parent / "lib" / "libtorch_python.so", "manylinux_2_28_x86_64"))
    assert "of Python" in wrong
    assert "needs libtorch_cpu.so" in wrong
    assert "exports _Z" in wrong
