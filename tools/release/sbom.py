"""Software bills of materials: ``python -m tools.release.sbom build/sbom`` (`make sbom`).

One CycloneDX file for the core and one for each extra: what is installed with it here, which version, under which
licence, needed by whom. Its serial number is made from its contents, and no date is in it: the same environment gives
the same file.
"""

from __future__ import annotations

import sys
import uuid
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
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


def component(name: str) -> Component:
    """Describe an installed distribution."""
    version, stated = metadata.version(name), licence(name)
    known = [] if stated == "not stated" else [LicenseFactory().make_from_string(stated)]
    if name == "adamas":
        return Component(name=name, version=version, type=ComponentType.LIBRARY, licenses=known, bom_ref=name)
    url = PackageURL("pypi", name=name, version=version.partition("+")[0])
    return Component(name=name, version=version, licenses=known, purl=url, bom_ref=name)


def bom(extra: str) -> Bom:
    """Make the bill of an extra."""
    found = closure(extra)
    parts = {name: component(name) for name in sorted(found)}
    refs = {name: part.bom_ref for name, part in parts.items()}
    return Bom(
        components=[part for name, part in parts.items() if name != "adamas"],
        metadata=BomMetaData(component=parts["adamas"]),
        dependencies=[Dependency(refs[name], [Dependency(refs[each]) for each in found[name]]) for name in found],
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, repr([(n, p.version, licence(n)) for n, p in parts.items()])),
    )


def written(made: Bom) -> str:
    """Return a bill as valid CycloneDX."""
    made.metadata.timestamp = None  # type: ignore[assignment]
    text = make_outputter(made, OutputFormat.JSON, SCHEMA).output_as_string(indent=1)
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
        silent = sorted(part.name for part in made.components if not part.licenses)
        print(f"{path}: {len(made.components)} parts" + (f", no licence stated: {', '.join(silent)}" if silent else ""))
    write_table(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
