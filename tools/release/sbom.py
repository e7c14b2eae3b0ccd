"""Software bills of materials: ``python -m tools.release.sbom build/sbom`` (`make sbom`).

One CycloneDX file for the core and one for each extra: what is installed with it here, which version, under which
licence, needed by whom. Its serial number is made from its contents, and no date is in it: the same environment gives
the same file.
"""

from __future__ import annotations

import json
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx import spdx
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from .licences import extras, installed, is_here, licence, needs, write_table

PAGE = Path(__file__).parents[2] / "docs" / "dependencies.md"
SCHEMA = SchemaVersion.V1_6


def closure(extra: str) -> dict[str, set[str]]:
    """Return all that is installed with an extra (or "", the core alone), each with what it needs itself."""
    found: dict[str, set[str]] = {}
    left = [("adamas", ""), ("adamas", extra)]
    seen = set(left)
    while left:
        name, asked = left.pop()
        known = found.setdefault(name, set())
        for needed in needs(name, asked):
            other = canonicalize_name(needed.name)
            if not is_here(other):
                raise SystemExit(f"sbom: {other}, which {name} needs, is not installed")
            known.add(other)
            new = {(other, each) for each in ("", *needed.extras)} - seen
            seen |= new
            left += new
    return found


def component(name: str) -> dict[str, Any]:
    """Describe an installed distribution."""
    version, stated = metadata.version(name), licence(name)
    made: dict[str, Any] = {"type": "library", "bom-ref": name, "name": name, "version": version}
    if spdx.is_supported_id(stated):
        made["licenses"] = [{"license": {"id": stated}}]
    elif spdx.is_expression(stated):
        made["licenses"] = [{"expression": stated}]
    elif stated != "not stated":
        made["licenses"] = [{"license": {"name": stated}}]
    if name != "adamas":
        made["purl"] = f"pkg:pypi/{name}@{version.partition('+')[0]}"
    return made


def bom(extra: str) -> dict[str, Any]:
    """Make the bill of an extra."""
    found = closure(extra)
    parts = {name: component(name) for name in sorted(found)}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SCHEMA.to_version(),
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(parts)).urn,
        "version": 1,
        "metadata": {"component": parts.pop("adamas")},
        "components": list(parts.values()),
        "dependencies": [{"ref": name, "dependsOn": sorted(found[name])} for name in sorted(found)],
    }


def written(made: dict[str, Any]) -> str:
    """Return a bill as valid CycloneDX."""
    text = json.dumps(made, indent=1)
    error = JsonStrictValidator(SCHEMA).validate_str(text)
    if error is not None:
        raise SystemExit(f"sbom: not CycloneDX {SCHEMA.to_version()}: {error}")
    return text + "\n"


def main(folder: Path) -> int:
    """Write all bills; say how many parts each has, and which of them state no licence."""
    folder.mkdir(parents=True, exist_ok=True)
    for extra in extras():
        if not installed(extra):
            print(f"sbom: the extra {extra} is not installed, and left out (make sbom EXTRAS=,peers,sinks)")
            continue
        made = bom(extra)
        path = folder / f"adamas-{extra or 'core'}.cdx.json"
        path.write_text(written(made), encoding="utf-8")
        silent = [part["name"] for part in made["components"] if "licenses" not in part]
        print(
            f"{path}: {len(made['components'])} parts" + (f", no licence stated: {', '.join(silent)}" if silent else "")
        )
    write_table(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
