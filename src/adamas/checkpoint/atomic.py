"""Files that are there whole or not at all, whatever kills the program or fills the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_DRAFT = ".draft"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: Path, write: Callable[[BinaryIO], None], previous: Path | None) -> None:
    """Write a file under another name, make the disk keep it, then rename it and make the disk keep that.

    Args:
        path: the file; one of that name stays as it is until the new one is whole.
        write: writes to the open file.
        previous: the checkpoint that remains if this one cannot be written, for the error.

    Raises:
        OSError: if the disk is full or cannot be written; drafts are removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    draft = path.parent / f".{path.name}.{os.getpid()}{_DRAFT}"
    try:
        with draft.open("w+b") as file:
            _lock(file)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise _full(error, path, previous) from error
        raise
    _keep_directory(path.parent)


def _full(error: OSError, path: Path, previous: Path | None) -> OSError:
    free = shutil.disk_usage(path.parent).free
    rest = f"the previous one, {previous}, is whole" if previous else "there was none before it"
    return OSError(
        error.errno,
        f"{os.strerror(error.errno or 0)}: the checkpoint {path} was not written ({free / 1e6:.1f} MB are free); "
        f"{rest}. Free some space, keep fewer, or save elsewhere",
    )


def _keep_directory(folder: Path) -> None:
    """Make the disk keep the names in a folder; Windows does so by itself."""
    if os.name == "posix":
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _sweep(folder: Path) -> None:
    """Remove the drafts of savers that were killed: nobody holds their lock."""
    for draft in folder.glob(f".*{_DRAFT}"):
        with contextlib.suppress(OSError):  # it is being written, or another saver swept it
            with draft.open("rb") as file:
                _lock(file)
            draft.unlink()


def _lock(file: BinaryIO) -> None:
    """Lock a file until it is closed, or its process ends; without locks (Windows), an open file cannot be removed."""
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def names_of_steps(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield the checkpoints in a folder with their steps, the newest first.

    Example:
        >>> list(names_of_steps(Path("/nowhere")))
        []
    """
    found = []
    for path in folder.glob("step-*.*") if folder.is_dir() else ():
        number = path.stem.removeprefix("step-")
        if number.isdecimal():
            found.append((int(number), path))
    yield from sorted(found, reverse=True)
