"""The house: dependencies point one way, the core needs torch alone, importing it costs little."""

from __future__ import annotations

import ast
import os
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
    "optimizers": {"optimizer", "planning", "rules", "shards", "slots"},
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


def fresh(code: str, **environment: str) -> str:
    """Return what code prints in a fresh interpreter."""
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout


def test_core_imports_torch_and_the_standard_library_only() -> None:
    new = fresh(
        "import torch, sys; before = set(sys.modules); import adamas; adamas.AdamW; "
        "print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    ).split()
    assert {name for name in new if name not in sys.stdlib_module_names} == {"adamas"}


def test_import_loads_no_library_and_takes_little_time(tmp_path: Path) -> None:
    # The smallest of several CPU times is what the import itself takes. Bytecode is there, as after `pip install`.
    code = (
        "import torch, time; start = time.process_time(); import adamas; print(time.process_time() - start);"
        "from adamas.engines import library; print(library.load.cache_info().currsize)"
    )
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    runs = [fresh(code, **bytecode).split() for _ in range(5)]
    assert min(float(seconds) for seconds, _ in runs) < 0.05
    assert {loaded for _, loaded in runs} == {"0"}
