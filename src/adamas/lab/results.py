"""What a run leaves behind: its evaluations, its costs and where it ran; and the folder that keeps it all."""

import math
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from adamas.doctor import Finding
from adamas.lab.environment import Environment
from adamas.lab.errors import LabError
from adamas.lab.internals import Internal
from adamas.lab.pictures import Picture
from adamas.lab.spec import RunSpec

# A diverged loss is a result too, and JSON has no word for it.
_FROZEN = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Point(BaseModel):
    """One evaluation, and what training had cost when it was taken (evaluation itself is off the clock).

    Args:
        step: training steps done.
        examples: training examples seen.
        seconds: wall time of the training steps.
        cpu_seconds: processor time of the training steps.
        optimizer_seconds: the part of `seconds` spent inside the optimizer's `step()`.
        train_loss: mean loss over the train split, or its probe, in evaluation mode.
        test_metric: the workload's metric over the test split.
    """

    model_config = _FROZEN

    step: int
    examples: int
    seconds: float
    cpu_seconds: float
    optimizer_seconds: float
    train_loss: float
    test_metric: float


TRACKED = ("update_ratio", "rms", "lost", "large", "under")
"""What of `adamas.doctor.Seen` is kept of every parameter."""

_Numbers = tuple[float | None, ...]


class Track(BaseModel):
    """What one parameter did at every look of the doctor; None where there is no number.

    Args:
        name: the parameter's name in the model.
        steps: the steps that were looked at.
        update_ratio: size of the update relative to the weights.
        rms: root mean square of the gradient over the root of the second moment.
        lost: share of the updates that rounding takes back.
        large: share of the updates beyond 0.9 lr.
        under: share of the roots of the second moment under 10 eps.
    """

    model_config = _FROZEN

    name: str
    steps: tuple[int, ...]
    update_ratio: _Numbers
    rms: _Numbers
    lost: _Numbers
    large: _Numbers
    under: _Numbers


class Diagnosis(BaseModel):
    """What the doctor says of a run.

    Args:
        every: steps between two looks.
        findings: what is wrong, causes before effects.
        tracks: what every parameter did.
        noise_scale: low, middle and high of the gradient noise scale at the end, in examples; empty without one.
    """

    model_config = _FROZEN

    every: int
    findings: tuple[Finding, ...]
    tracks: tuple[Track, ...]
    noise_scale: tuple[float | None, ...] = ()


class Result(BaseModel):
    """The outcome of one run.

    Args:
        points: evaluations, from step 0 on; a run that diverges ends with the first loss that is not finite.
        parameters: trainable parameters of the model.
        state_bytes: bytes in the tensors of `optimizer.state` when training ended.
        optimizer_step_seconds: median wall time of one optimizer step.
        internals: what the optimizer did to each parameter tensor, over the evaluations.
        pictures: what the workload drew of the trained model; nothing if it diverged.
        diagnosis: what the doctor says of it, if one was asked.
    """

    model_config = _FROZEN

    points: tuple[Point, ...]
    parameters: int
    state_bytes: int
    optimizer_step_seconds: float
    internals: tuple[Internal, ...] = ()
    pictures: tuple[Picture, ...] = ()
    diagnosis: Diagnosis | None = None

    @property
    def diverged(self) -> bool:
        """Whether the last loss is not a finite number."""
        return not math.isfinite(self.points[-1].train_loss)


class Run(BaseModel):
    """A finished run as it is kept on disk."""

    model_config = _FROZEN

    spec: RunSpec
    result: Result
    environment: Environment


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file so that a reader, or a power cut, sees either the old content or all of the new."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def writable_folder(folder: Path, option: str) -> Path:
    """Makes the folder if need be and proves that files can be made in it.

    Raises:
        LabError: they can't; the remedy names `option`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise LabError(
            f"can't write to the folder {str(folder)!r} ({reason})", f"choose another with {option}"
        ) from error
    return folder


class RunStore:
    """A folder of finished runs, one JSON file each, named by run id.

    Args:
        folder: where they are; it must exist.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, spec: RunSpec) -> Path:
        """Where the run of this spec is kept."""
        return self.folder / f"{spec.run_id}.json"

    def find(self, spec: RunSpec) -> Run | None:
        """The finished run of this spec, or None if there is none or its file is damaged."""
        try:
            run = Run.model_validate_json(self.path(spec).read_text(encoding="utf-8"))
        except (FileNotFoundError, UnicodeDecodeError, ValidationError):
            return None
        return run if run.spec == spec else None

    def checkpoint(self, spec: RunSpec) -> Path:
        """Where the run of this spec is kept while it is under way."""
        return self.folder / f"{spec.run_id}.checkpoint"

    def save(self, run: Run) -> None:
        """Keeps a run, replacing an earlier one of the same spec, and drops what its training left."""
        write_atomically(self.path(run.spec), run.model_dump_json(indent=1) + "\n")
        self.forget_checkpoint(run.spec)

    def forget_checkpoint(self, spec: RunSpec) -> None:
        """Removes the checkpoint of a spec, and drafts of it that a killed process left."""
        path = self.checkpoint(spec)
        for file in (path, *self.folder.glob(f".{path.name}.*")):
            file.unlink(missing_ok=True)

    def all(self) -> list[Run]:
        """Every finished run in the folder, by file name; damaged files are passed over."""
        runs = []
        for file in sorted(self.folder.glob("*.json")):
            try:
                runs.append(Run.model_validate_json(file.read_text(encoding="utf-8")))
            except (UnicodeDecodeError, ValidationError):
                continue
        return runs
