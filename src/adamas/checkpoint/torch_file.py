"""A tree as a file of ``torch.save``, which ``torch.load(weights_only=True)`` opens, with a checksum of all its bytes.

Such a file is a zip archive, and an archive may end in a comment: there the checksum stands, BLAKE2b of the
archive as it was without a comment.
"""

from __future__ import annotations

import hashlib
import mmap
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import torch

from adamas.checkpoint.damage import Damage

_MARK = b"adamas.blake2b:"
_COMMENT = len(_MARK) + 64
_CHUNK = 1 << 22


class _Hashed:
    """A file that hashes what is written to it, and remembers what went wrong: torch hides it behind its own error."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.blake2b(digest_size=32)
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def write(file: BinaryIO, tree: dict[str, Any]) -> None:
    """Write a plain tree."""
    hashed = _Hashed(file)
    try:
        torch.save(tree, hashed)  # type: ignore[arg-type]
    except RuntimeError:
        if hashed.error is not None:
            raise hashed.error from None
        raise
    file.seek(-2, 2)  # the archive ends in the length of its comment: two zeros
    file.write(_COMMENT.to_bytes(2, "little") + _MARK + hashed.digest.hexdigest().encode())


def read(path: Path) -> dict[str, Any]:
    """Return the tree in a file, once all of its bytes are known to be as they were written.

    Raises:
        Damage: if they are not.
    """
    _check(path)
    try:
        return torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise Damage(f"torch cannot read it: {error}") from error


def _check(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    mark = size - _COMMENT
    if mark < 2 or memory[mark : mark + len(_MARK)] != _MARK:
        raise Damage(f"its checksum is missing: it is truncated at {size} bytes, or it is not of adamas.save")
    digest = hashlib.blake2b(digest_size=32)
    with memoryview(memory) as view:
        for at in range(0, mark - 2, _CHUNK):
            digest.update(view[at : min(at + _CHUNK, mark - 2)])
    digest.update(b"\0\0")
    expected = memory[mark - 2 : mark] == _COMMENT.to_bytes(2, "little")
    if not expected or digest.hexdigest().encode() != memory[mark + len(_MARK) :]:
        raise Damage("its checksum does not match: bytes changed after it was written")
