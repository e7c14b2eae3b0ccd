"""The house: dependencies point one way, the core needs torch alone, importing it costs little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import adamas

ROOT = Path(adamas.rules.__file__).parents[1]

# Which rooms a room may know. (docs/design.md)
ALLOWED: dict[str, set[str]] = {
    "shards": set(),
    "lost": set(),
    "rules": {"rules"},
    "rounding": {"rounding"},
    "pages": set(),
    "formats": {"formats", "pages", "rounding"},
    "engines": {"engines", "formats", "kernels", "lost", "rounding", "rules", "shards"},
    "kernels": {"kernels"},
    "hyperparameters": {"engines", "formats", "rounding", "rules"},
    "planning": {"engines", "formats", "rounding", "rules", "shards", "slots", "sparse"},
    "ops": {"engines", "formats", "planning", "rounding", "rules"},
    "slots": {"engines", "formats", "rounding", "rules", "shards"},
    "sparse": {"engines", "kernels", "pages", "rounding", "rules", "sparse"},
    "capturing": {"engines", "planning"},
    "checkpoint": {
        "checkpoint",
        "formats",
        "hyperparameters",
        "pages",
        "planning",
        "rounding",
        "rules",
        "shards",
        "slots",
    },
    "groups": {"groups"},
    "doctor": {"doctor", "engines", "reports", "rules", "shards"},
    "reports": {"engines"},
    "guards": {"engines", "hyperparameters", "reports"},
    "hooks": set(),
    "release": {"engines", "planning", "release", "reports", "rules", "shards"},
    "precision": {"checkpoint", "engines", "rounding", "shards"},
    "replacing": {"formats", "planning", "rules", "slots"},
    "optimizer": {
        "capturing",
        "checkpoint",
        "doctor",
        "engines",
        "guards",
        "hooks",
        "hyperparameters",
        "planning",
        "precision",
        "release",
        "replacing",
        "reports",
        "rules",
        "shards",
        "sparse",
    },
    "optimizers": {"optimizer", "optimizers", "planning", "rules", "shards", "slots"},
    "memory": {"formats", "optimizer", "shards", "slots"},
    "distributed": {"distributed", "engines", "lost", "optimizer", "shards"},
    "__init__": {"checkpoint", "distributed", "doctor", "groups", "memory", "optimizer", "optimizers", "rules"},
}


def known(path: Path) -> set[str]:
    """Return the rooms of adamas that a file imports from at the top or anywhere inside."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "adamas" else [f"adamas.{x.name}" for x in node.names]
        elif isinstance(node, ast.Import):
            names = [x.name for x in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("adamas.")}
    return rooms


def test_dependencies_point_one_way() -> None:
    seen = set()
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room != "lab":
            seen.add(room)
            assert known(path) <= ALLOWED[room], f"{path.relative_to(ROOT)} knows {known(path) - ALLOWED[room]}"
    assert seen == set(ALLOWED)


def fresh(code: str) -> str:
    """Return what code prints in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_brings_this_package_alone_and_no_library() -> None:
    # How long it takes is for benchmarks/import_time.py. Here: nothing that torch has not imported before, not even of
    # torch (its compiler takes seconds) or the standard library; and the C++ library is not loaded before it is needed.
    new, loaded = fresh(
        "import torch, sys; before = set(sys.modules); import adamas; adamas.AdamW; "
        "print(*set(sys.modules) - before); "
        "from adamas.engines import library; print(library.load.cache_info().currsize)"
    ).splitlines()
    assert {name.split(".")[0] for name in new.split()} == {"adamas"}
    assert loaded == "0"
