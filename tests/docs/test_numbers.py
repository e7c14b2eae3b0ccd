"""Every number has a command: it can be parsed, the pages that quote it are there, and no page is left out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adamas.lab.cli import app
from tools import remake
from tools.remake import NONE, NUMBERS, PAGE, Number, page

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def parse(line: str) -> None:
    """Fail unless a command exists and has the options that are given."""
    program, *rest = shlex.split(line)
    if program == "adamas":
        # All of the line is parsed before its help is printed.
        assert CliRunner().invoke(app, [*rest, "--help"]).exit_code == 0, line
        return None
    if program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), line
        return None
    first, *more = rest[1:] if rest[0] == "-m" else rest
    script = ROOT / (first.replace(".", "/") if rest[0] == "-m" else first)
    if program == "pytest":
        assert script.exists(), line
        return None
    script = script / "__main__.py" if script.is_dir() else script.with_suffix(".py")
    text = script.read_text("utf-8")
    assert all(f'"{option}"' in text for option in more if option.startswith("--")), line
    return None


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_the_command_exists(number: Number) -> None:
    parse(number.command)


@pytest.mark.parametrize("line", ["adamas bend P1", "adamas formats --sides 3", "pytest tests/none.py", "make nothing"])
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        parse(line)


def test_every_page_is_listed() -> None:
    listed = {Path(name) for each in NUMBERS for name in each.pages.split()} | {Path(name) for name in NONE}
    assert [path for path in listed if not (ROOT / path).exists()] == []
    pages = [path.relative_to(ROOT) for path in ((ROOT / "docs").rglob("*.md"))] + [Path("README.md")]
    assert [page for page in pages if not listed & {page, *page.parents}] == []


def test_every_command_of_the_readme_is_listed() -> None:
    commands = re.findall(r"\| `([^`]+)` \|$", README, re.MULTILINE)
    assert len(commands) >= 10
    listed = {each.command for each in NUMBERS}
    assert [line for line in commands if not any(each == line or each.startswith(f"{line} ") for each in listed)] == []


def test_what_ended_well_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remake, "KEPT", tmp_path)
    monkeypatch.setattr(remake, "ROOT", tmp_path)
    (tmp_path / "count.py").write_text("open('ran', 'a').write('x'); print('0.82')")
    good, bad = (Number(name, "", "", f"python {name}.py", 0.1) for name in ("count", "missing"))
    assert [remake.run(each) for each in (good, bad, good)] == [True, False, True]
    assert (tmp_path / "ran").read_text() == "x"
    assert (tmp_path / "count.txt").read_text() == "0.82\n"
    assert not (tmp_path / "missing.txt").exists()


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tools.remake --page"
