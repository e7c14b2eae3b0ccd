"""What a process says when another one is gone: the same, whichever of the two noticed and in whichever call.

A process that is killed closes its connections, and the others' next exchange fails at once; one whose machine is
gone, or that hangs, is noticed when the group's timeout is over. Backends report either in words of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_WORDS = ("gloo", "nccl", "connection closed", "connection reset", "remote worker", "timed out")


class LostProcessError(RuntimeError):
    """Another process of the job is gone, or did not answer in time."""


@contextmanager
def together(doing: str = "training") -> Iterator[None]:
    """Turn what backends say of a lost process into one clear error.

    Args:
        doing: what was being done, for the error.

    Raises:
        LostProcessError: if an exchange with other processes failed inside. Weights and moments may then be of
            different steps: end this process, start the job anew, and load its last checkpoint.

    Example:
        >>> with together("a step"):
        ...     raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:59188")
        Traceback (most recent call last):
        adamas.lost.LostProcessError: another process is gone or did not answer in time (noticed in a step): ...
    """
    try:
        yield
    except LostProcessError:
        raise
    except (RuntimeError, *_of_checkpoints()) as error:
        if not _is_of_backend(error):
            raise
        place = f" by rank {torch.distributed.get_rank()}" if torch.distributed.is_initialized() else ""
        raise LostProcessError(
            f"another process is gone or did not answer in time (noticed in {doing}{place}): weights and moments may "
            f"be of different steps now. End all processes, start the job again and load its last checkpoint; torchrun "
            f"--max-restarts does the first two. What the backend said: {error}"
        ) from error


def _of_checkpoints() -> list[type[BaseException]]:
    """Return what torch.distributed.checkpoint raises, which is no RuntimeError, if it was imported."""
    module = sys.modules.get("torch.distributed.checkpoint.api")
    return [] if module is None else [module.CheckpointException]


def _is_of_backend(error: BaseException) -> bool:
    kinds = tuple(
        getattr(torch.distributed, name)
        for name in ("DistBackendError", "DistNetworkError", "DistStoreError")
        if hasattr(torch.distributed, name)
    )
    return isinstance(error, kinds) or any(word in str(error).lower() for word in _WORDS)
