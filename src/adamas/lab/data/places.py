"""Where the files of a data set are: in an installed package, in a system folder or in the cache, in that order.

A package is never imported for its files: importing scikit-learn costs a worker more than a second, and the file
is a 57 KB table.
"""

import hashlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from adamas.lab.data.registry import File, Source, source
from adamas.lab.errors import LabError


def cache_folder() -> Path:
    """Where fetched data is kept: `$ADAMAS_DATA`, else `adamas` in the user's cache folder."""
    chosen = os.environ.get("ADAMAS_DATA")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "adamas"


def sha256(path: Path) -> str:
    """Checksum of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def intact(path: Path, file: File) -> bool:
    """Whether that file is there, and is the right one if it has a checksum."""
    if not path.is_file():
        return False
    return not file.sha256 or (path.stat().st_size == file.bytes and sha256(path) == file.sha256)


def _candidates(data: Source) -> Iterator[list[Path]]:
    """All places where the files may be, each as one path per file."""
    spec = find_spec(data.module) if data.module else None
    for folder in (spec.submodule_search_locations if spec else None) or ():
        yield [Path(folder) / file.path for file in data.files]
    if data.folder:
        yield [Path(data.folder) / file.path for file in data.files]
    yield [cached(data, file) for file in data.files]


def cached(data: Source, file: File) -> Path:
    """Where the cache keeps a file."""
    return cache_folder() / data.name / file.name


def find(data: Source) -> list[Path] | None:
    """The data set's files, one path each, or None if no place has all of them, intact."""
    for paths in _candidates(data):
        if all(intact(path, file) for path, file in zip(paths, data.files, strict=True)):
            return paths
    return None


def files(name: str) -> list[Path]:
    """The files of a data set.

    Raises:
        LabError: it isn't here, or what is in the cache is damaged.

    Example:
        >>> files("digits")[0].name
        'digits.csv.gz'
    """
    data = source(name)
    found = find(data)
    if found is None:
        damaged = [path for file in data.files if (path := cached(data, file)).is_file() and not intact(path, file)]
        if damaged:
            raise LabError(f"{damaged[0]} is not the file it should be (wrong checksum)", data.remedy)
        raise LabError(f"the data set {name} is not here", data.remedy)
    return found
