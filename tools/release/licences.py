"""Licences of what adamas needs, and the table of ``docs/dependencies.md``, which ``make sbom`` writes again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(.*)")
# What is said in other words, in those of SPDX. ("BSD License" may be either of two.)
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Distributions that put it into no field: what their licence file says.
_READ = {"flashoptim": "Apache-2.0", "torchao": "BSD-3-Clause"}


def licence(name: str) -> str:
    """Return the licence that an installed distribution states, as an SPDX expression where it can be one."""
    about: Any = metadata.metadata(name)
    stated = (about.get("License-Expression") or about.get("License") or "").strip()
    if stated in ("", "BSD", "Dual License", "UNKNOWN") or "\n" in stated:
        found = [_CLASSIFIER.fullmatch(each) for each in about.get_all("Classifier", [])]
        short = "" if "\n" in stated or stated == "UNKNOWN" else stated
        stated = " OR ".join(sorted(_SPDX.get(each[1], each[1]) for each in found if each)) or short
    return _SPDX.get(stated, stated) or _READ.get(name, "not stated")


def extras() -> list[str]:
    """Return the extras of adamas, and "" for the core."""
    return ["", *sorted(metadata.metadata("adamas").get_all("Provides-Extra", []))]


def needs(name: str, extra: str) -> Iterator[Requirement]:
    """Yield what a distribution needs on this machine for one of its extras, or ("") for itself."""
    for line in metadata.requires(name) or []:
        needed = Requirement(line)
        plain = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if plain if not extra else not plain and needed.marker is not None and needed.marker.evaluate({"extra": extra}):
            yield needed


def installed(extra: str) -> bool:
    """Say whether all that adamas itself asks for with an extra is here."""
    return all(is_here(needed.name) for needed in needs("adamas", extra))


def is_here(name: str) -> bool:
    """Say whether a distribution is installed."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def write_table(page: Path) -> None:
    """Put the table of what adamas itself asks for into its page; of what is not installed the old line is kept."""
    lines = page.read_text(encoding="utf-8").splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("|")]
    before = set(lines[at[0] : at[-1] + 1])
    table = ["| for | needs | licence |", "|---|---|---|"]
    for extra in extras():
        for name in sorted({canonicalize_name(needed.name) for needed in needs("adamas", extra)}):
            row = f"| {extra or 'the core'} | {name} |"
            old = [line for line in before if line.startswith(row)]
            table += [f"{row} {licence(name)} |"] if is_here(name) else old
    lines[at[0] : at[-1] + 1] = table
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
