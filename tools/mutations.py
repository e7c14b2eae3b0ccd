"""Seeds one bug after another into a copy of the code, and says which test catches it: `make mutations`.

A bug that no test catches is an error. Each is one replacement in one file; bugs in the C++ are built for the baseline
instruction set alone. The tests named are those that should see the bug, not all of them, so that a bug takes seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.progress import track

from tools.seeded_bugs import BUGS, Bug

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "mutations.md"


def scratch(folder: Path) -> Path:
    """Copy what the tests need."""
    ignore = shutil.ignore_patterns("__pycache__", "*.so")
    for name in ("src", "tests", "examples", "conftest.py", "pyproject.toml", "CMakeLists.txt", "README.md"):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignore)
        else:
            shutil.copy(source, target)
    return folder


def build(folder: Path) -> None:
    """Build the library for the baseline instruction set alone."""
    built = folder / "build"
    # Another processor's name leaves the sources for this one's instruction sets out.
    options = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=any", "-DCMAKE_CXX_FLAGS_RELEASE=-O1"]
    for command in (["cmake", "-S", folder, "-B", built, *options], ["cmake", "--build", built, "--parallel", "2"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


_RUN = """
import sys
sys.meta_path[:] = [each for each in sys.meta_path if "ScikitBuild" not in type(each).__name__]
sys.path.insert(0, "src")
import adamas, pytest
assert adamas.__file__.startswith(sys.argv[1]), adamas.__file__
sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""


def test(folder: Path, tests: str) -> tuple[int, str]:
    """Run tests in a copy; return pytest's status and what it printed."""
    environment = {
        **os.environ,
        "ADAMAS_LIBRARY": str(folder / "build"),
        "OMP_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "passive",
    }
    command = [sys.executable, "-c", _RUN, str(folder), *tests.split()]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout + done.stderr


def caught_by(bug: Bug, folder: Path) -> str | None:
    """Return the test that catches a bug, None if there is none; sources are left as they were, not what was built."""
    path = folder / "src" / "adamas" / bug.path
    text = path.read_text("utf-8")
    if bug.old not in text:
        raise SystemExit(f"{bug.what}: {bug.path} has no {bug.old!r} any more; say anew where the bug goes")
    path.write_text(text.replace(bug.old, bug.new, 1), "utf-8")
    try:
        if bug.compiled:
            build(folder)
        status, printed = test(folder, bug.tests)
    finally:
        path.write_text(text, "utf-8")
    if status == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", printed, re.MULTILINE)
    return found[1] if found else f"the process ended with {status}"


_ROW = re.compile(r"^\| (.+) \| `.+` \| `(.+)` \|$", re.MULTILINE)


def in_turn(bugs: Iterable[Bug]) -> list[Bug]:
    """Return bugs with those in the C++ last: the library is built well once, for all others."""
    return sorted(bugs, key=lambda bug: bug.compiled)


def page(caught: dict[str, str], before: str) -> str:
    """Return the page with the list.

    Args:
        caught: the test that caught a bug, by what the bug is.
        before: the page as it was; it has the rows of bugs that were not seeded now.
    """
    known = dict(_ROW.findall(before)) | caught
    lines = [
        "# Seeded bugs",
        "",
        "Each bug was put into a copy of the code by `make mutations`, which printed this page; the test named is the",
        "first that failed. A bug that none catches is an error.",
        "",
        "| bug | in | caught by |",
        "|---|---|---|",
        *(f"| {bug.what} | `{bug.path}` | `{known[bug.what]}` |" for bug in in_turn(BUGS) if bug.what in known),
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Seed all bugs, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="bugs whose description or file has this in it; other rows stay")
    parser.add_argument("--out", type=Path, default=OUT, help="the page to write")
    arguments = parser.parse_args()
    bugs = [bug for bug in in_turn(BUGS) if arguments.only in bug.what + bug.path]
    rows, survivors = dict[str, str](), []
    with tempfile.TemporaryDirectory() as name:
        folder = scratch(Path(name).resolve())
        build(folder)
        for bug in track(bugs, "Seeding bugs"):
            caught = caught_by(bug, folder)
            if caught is None:
                survivors.append(bug)
            else:
                rows[bug.what] = caught
                print(f"{bug.what}: {caught}")
    for bug in survivors:
        print(f"NOT CAUGHT: {bug.what} ({bug.path}) by {bug.tests}", file=sys.stderr)
    if not survivors:
        before = arguments.out.read_text("utf-8") if arguments.out.exists() else ""
        arguments.out.write_text(page(rows, before), "utf-8")
    return len(survivors)


if __name__ == "__main__":
    sys.exit(main())
