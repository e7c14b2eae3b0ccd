"""Mid-run checkpoints: a run that is killed goes on from the last of them, to the same bits.

Everything a run depends on is in the file: weights and buffers, the optimizer's state, the evaluations and costs
so far, and the number of steps. Random streams need no more than that number: batches are a function of the
seed and the step (the stream is wound forward), and torch's generator is reseeded from them before every step.
"""

import io
import pickle
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter

from adamas.lab.internals import Internal
from adamas.lab.results import Point, write_atomically

if TYPE_CHECKING:
    from adamas.lab.train import Training

_EVERY = 2.0
"""Seconds between two checkpoints; a kill loses no more of the work than that."""

_SHARE = 20
"""Or this many times what the last one took to write, so that large models don't spend their time writing."""

_POINTS = TypeAdapter(tuple[Point, ...])
_INTERNALS = TypeAdapter(tuple[Internal, ...])


class Checkpoint:
    """The file of one run under way; not written, and none is found, without a path.

    Args:
        path: the file.

    Example:
        checkpoint = Checkpoint(folder / f"{spec.run_id}.checkpoint")
        training = Training(spec)
        checkpoint.restore(training)
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._keeps = path is not None
        self._next = monotonic() + _EVERY

    def save_if_due(self, training: "Training") -> None:
        """Writes a checkpoint if the last one is some seconds old."""
        if self.due():
            self.save(training)

    def due(self) -> bool:
        """Whether checkpoints are kept, and the last one is some seconds old."""
        return self._keeps and monotonic() >= self._next

    def save(self, training: "Training") -> None:
        """Writes a checkpoint; whatever kills the program in the middle leaves the last one whole."""
        if not self._keeps:
            return
        start, buffer = monotonic(), io.BytesIO()
        torch.save(self.state(training), buffer)
        self.keep(buffer.getvalue())
        end = monotonic()
        self._next = end + max(_EVERY, _SHARE * (end - start))

    def restore(self, training: "Training") -> bool:
        """Puts a fresh training where the checkpoint left off, and says whether there was one to go on from."""
        try:
            content = self.kept()
            state = None if content is None else torch.load(io.BytesIO(content), weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError):
            return False  # Damaged, or a state that only unpickling could bring back: begin again, to the same bits.
        if not isinstance(state, dict) or state.get("spec") != training.spec.canonical_json():
            return False
        self.resume(training, state)
        return True

    def keep(self, content: bytes) -> None:
        """Puts a checkpoint where the next process finds it."""
        if self._path is not None:
            write_atomically(self._path, content)

    def kept(self) -> bytes | None:
        """The last checkpoint, if there is one."""
        return self._path.read_bytes() if self._path is not None and self._path.is_file() else None

    def state(self, training: "Training") -> dict[str, Any]:
        """Everything that the rest of a training depends on."""
        return {
            **progress(training),
            "model": training.model.state_dict(),
            "optimizer": training.optimizer.state_dict(),
        }

    def resume(self, training: "Training", state: dict[str, Any]) -> None:
        """Puts a fresh training where `state` was taken."""
        training.model.load_state_dict(state["model"])
        training.optimizer.load_state_dict(state["optimizer"])
        wind(training, state)


def progress(training: "Training") -> dict[str, Any]:
    """How far a training is, and what it has measured."""
    clock = training.clock
    return {
        "spec": training.spec.canonical_json(),
        "step": training.step,
        "points": _POINTS.dump_json(tuple(training.points)).decode(),
        "internals": _INTERNALS.dump_json(training.internals.internals).decode(),
        "clock": torch.tensor([clock.seconds, clock.cpu_seconds, *clock.optimizer_steps], dtype=torch.float64),
    }


def wind(training: "Training", state: dict[str, Any]) -> None:
    """Says that a training is as far as `progress` said, once its weights and moments are."""
    training.points = list(_POINTS.validate_json(state["points"]))
    training.internals.resume(_INTERNALS.validate_json(state["internals"]))
    clock = training.clock
    clock.seconds, clock.cpu_seconds, *clock.optimizer_steps = state["clock"].tolist()
    training.wind(state["step"])
