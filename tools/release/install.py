"""Installs a release where there is no compiler, and looks whether it works: ``python -m tools.release.install dist``.

One clean environment with the torch of ``constraints.txt`` and nothing else. Into it goes the wheel, which must bring
the compiled engine; then, instead of it, the sdist, which cannot be compiled there: it must be installed all the same,
work with the reference engine, and say so once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMOKE = Path(__file__).with_name("smoke.py")
COMPILERS = ("c++", "g++", "clang++", "cc", "gcc", "clang", "cl", "cmake", "ninja", "make")
NOWHERE = "/nowhere/no-compiler"


def bare(environment: Path) -> dict[str, str]:
    """Return environment variables with which no compiler is found.

    CMake looks in ``/usr/bin`` whatever the path is, but takes the compilers of ``CC`` and ``CXX`` before all others.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ADAMAS_", "CMAKE_"))}
    path = str(environment / "bin")
    for name in COMPILERS:
        assert not (environment / "bin" / name).exists(), f"{name} is in the clean environment"
    return {**kept, "PATH": path, "CC": NOWHERE, "CXX": NOWHERE}


def install(python: Path, environment: dict[str, str], *what: str) -> None:
    """Install something with pip."""
    constraint = str(ROOT / "constraints.txt")
    command = [str(python), "-m", "pip", "install", "--quiet", "-c", constraint, *what]
    subprocess.run(command, env=environment, cwd=python.parent, check=True)


def main(folder: Path) -> None:
    """Try the wheel, then the sdist."""
    (wheel,), (sdist,) = folder.resolve().glob("*.whl"), folder.resolve().glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as made:
        venv.create(made, with_pip=True)
        environment, python = bare(Path(made)), Path(made) / "bin" / "python"
        for file, engine in ((wheel, "cpu"), (sdist, "reference")):
            install(python, environment, *(("--no-deps", "--force-reinstall") if file is sdist else ()), str(file))
            # Without NumPy torch says so, which is no concern of ours.
            subprocess.run(
                [python, "-I", "-W", "ignore:Failed to initialize NumPy", SMOKE, engine],
                env=environment,
                cwd=made,
                check=True,
            )
            alone = subprocess.run([Path(made) / "bin" / "adamas"], env=environment, capture_output=True, text=True)
            if alone.returncode != 2 or "pip install 'adamas[lab]'" not in alone.stderr:
                raise SystemExit(f"install: `adamas` without the lab: {alone.stderr or alone.stdout}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
