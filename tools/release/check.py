"""Checks what is in the files of a release: ``python -m tools.release.check dist``.

The wheel has the package without its C++ and one library; the library is a plain C ABI: it exports ``adamas_*`` alone,
wants nothing of Python, and of the C library only what the wheel's tag promises. The sdist has what the wheel is built
from.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from elftools.elf.elffile import ELFFile
from packaging.metadata import ExceptionGroup, Metadata

ROOT = Path(__file__).parents[2]
LIBRARY = "adamas/libadamas.so"
# torch brings its own libgomp.so.1 and loads it first. A second one in the wheel would have threads of its own.
# What torch throws is caught (objects.cpp), which takes the runtime of C++ that torch itself needs.
NEEDED = {"libc.so.6", "libm.so.6", "libgomp.so.1", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-aarch64.so.1"}
VERSION = re.compile(r"GLIBC_(\d+)\.(\d+)")


def tracked(folder: str) -> set[str]:
    """Return the files of the package that git knows, and where there is no git, those that lie there."""
    listed = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return set(listed.stdout.split())
    return {
        str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.suffix != ".pyc" and path.is_file()
    }


def of_wheel(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel."""
    wrong = []
    python, abi, platforms = wheel.stem.split("-")[-3:]
    if (python, abi) != ("py3", "none"):
        wrong.append(f"its tag is {python}-{abi}: the library knows no Python, so it should be py3-none")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        package = {name for name in names if ".dist-info/" not in name}
        expected = {name.removeprefix("src/") for name in tracked("src/adamas") if "/csrc/" not in name} | {LIBRARY}
        wrong += [f"lacks {name}" for name in sorted(expected - package)]
        wrong += [f"has {name}, which is no part of the package" for name in sorted(package - expected)]
        if not any(PurePosixPath(name).name == "LICENSE" for name in names):
            wrong.append("has no LICENSE")
        wrong += of_metadata(archive)
        if LIBRARY in names:
            with tempfile.TemporaryDirectory() as folder:
                wrong += of_library(Path(archive.extract(LIBRARY, folder)), platforms)
    return wrong


def of_metadata(archive: zipfile.ZipFile) -> list[str]:
    """Return what an index would refuse in a wheel's metadata."""
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    try:
        about = Metadata.from_email(archive.read(name), validate=True)
    except ExceptionGroup as group:
        return [f"has metadata that are not valid: {error}" for error in group.exceptions]
    said = {"a licence": about.license_expression, "a description": about.description, "a summary": about.summary}
    return [f"states no {what.split()[1]}" for what, value in said.items() if not value]


def of_library(path: Path, platforms: str) -> list[str]:
    """Return what is wrong with the compiled library, for a wheel with these platform tags."""
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        sections = elf.get_section_by_name
        symbols = list(sections(".dynsym").iter_symbols())
        needed = {tag.needed for tag in sections(".dynamic").iter_tags("DT_NEEDED")}
        versions = {
            (int(found[1]), int(found[2]))
            for _, entries in sections(".gnu.version_r").iter_versions()
            for found in [VERSION.fullmatch(entry.name) for entry in entries]
            if found
        }
    exported = {s.name for s in symbols if s["st_shndx"] != "SHN_UNDEF" and s["st_info"]["bind"] != "STB_LOCAL"}
    wanted = {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF" and s.name}
    wrong = [f"exports {name}" for name in sorted(exported) if not name.startswith("adamas_")]
    wrong += [f"wants {name} of Python" for name in sorted(wanted) if name.startswith(("Py", "_Py"))]
    wrong += [f"needs {name}" for name in sorted(needed - NEEDED)]
    promised = [(int(a), int(b)) for a, b in re.findall(r"manylinux_(\d+)_(\d+)_", platforms)]
    if not promised:
        wrong.append(f"its tag {platforms} promises no version of the C library: run auditwheel repair")
    elif max(versions) > min(promised):
        wrong.append(f"wants GLIBC {max(versions)}, and its tag promises {min(promised)}")
    return wrong


def of_sdist(sdist: Path) -> list[str]:
    """Return what is wrong with an sdist."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    expected = tracked("src/adamas") | {"pyproject.toml", "CMakeLists.txt", "LICENSE", "README.md", "PKG-INFO"}
    stray = {name for name in names if name.startswith((".venv", "build/", "dist/", "shared/", "runs/", ".git/"))}
    wrong = [f"lacks {name}" for name in sorted(expected - names)]
    return wrong + [f"has {name}" for name in sorted(stray)]


def main(folder: Path) -> int:
    """Check one sdist and one wheel; name what is wrong."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    wrong = [f"{wheel.name} {each}" for each in of_wheel(wheel)] + [f"{sdist.name} {each}" for each in of_sdist(sdist)]
    print("\n".join(wrong) or f"{wheel.name} ({wheel.stat().st_size:,} bytes) and {sdist.name}: as they should be")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
