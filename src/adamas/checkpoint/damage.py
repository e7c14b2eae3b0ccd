"""What is said of a file that is not what was written."""

from __future__ import annotations

from pathlib import Path


class Damage(Exception):  # noqa: N818 - what is wrong with a file, for the reader of a folder to put into words
    """A file is truncated or has other bytes than were written; the message says which."""


class DamagedCheckpoint(RuntimeError):  # noqa: N818
    """A checkpoint cannot be loaded; nothing was changed.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        last_good: the newest other checkpoint beside it that is whole, if there is one.
    """

    def __init__(self, path: Path, reason: str, last_good: Path | None) -> None:
        self.path, self.reason, self.last_good = path, reason, last_good
        instead = (
            f"the last good one is {last_good}: load that" if last_good else "there is no other good one beside it"
        )
        super().__init__(f"{path} is damaged: {reason}. Nothing was loaded; {instead}")
