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
        self._next = monotonic() + _EVERY

    def save_if_due(self, training: "Training") -> None:
        """Writes a checkpoint if the last one is some seconds old."""
        if monotonic() >= self._next:
            self.save(training)

    def save(self, training: "Training") -> None:
        """Writes a checkpoint; whatever kills the program in the middle leaves the last one whole."""
        if self._path is None:
            return
        start, buffer = monotonic(), io.BytesIO()
        torch.save(_state(training), buffer)
        write_atomically(self._path, buffer.getvalue())
        end = monotonic()
        self._next = end + max(_EVERY, _SHARE * (end - start))

    def restore(self, training: "Training") -> bool:
        """Puts a fresh training where the checkpoint left off, and says whether there was one to go on from."""
        if self._path is None or not self._path.is_file():
            return False
        try:
            state = torch.load(self._path, weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError):
            return False  # Damaged, or a state that only unpickling could bring back: begin again, to the same bits.
        if not isinstance(state, dict) or state.get("spec") != training.spec.canonical_json():
            return False
        _resume(training, state)
        return True


def _state(training: "Training") -> dict[str, Any]:
    clock = training.clock
    return {
        "spec": training.spec.canonical_json(),
        "step": training.step,
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "points": _POINTS.dump_json(tuple(training.points)).decode(),
        "internals": _INTERNALS.dump_json(training.internals.internals).decode(),
        "clock": torch.tensor([clock.seconds, clock.cpu_seconds, *clock.optimizer_steps], dtype=torch.float64),
    }


def _resume(training: "Training", state: dict[str, Any]) -> None:
    training.model.load_state_dict(state["model"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.points = list(_POINTS.validate_json(state["points"]))
    training.internals.resume(_INTERNALS.validate_json(state["internals"]))
    clock = training.clock
    clock.seconds, clock.cpu_seconds, *clock.optimizer_steps = state["clock"].tolist()
    training.wind(state["step"])
