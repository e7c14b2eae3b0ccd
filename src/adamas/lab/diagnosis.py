"""What the doctor says of a run, kept with its result: findings, and what every parameter did at every look.

A run is its spec, so one that was made without a doctor is trained again with one: the same bits, looked at.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import adamas
from adamas.doctor import Look, Seen
from adamas.lab.checkpoint import Checkpoint
from adamas.lab.errors import LabError
from adamas.lab.results import TRACKED, Diagnosis, Result, Run, Track
from adamas.lab.spec import RunSpec
from adamas.lab.streams import reproducible
from adamas.lab.train import Training, finish


def examine(spec: RunSpec, every: int) -> Result:
    """Trains as the spec says, with a doctor.

    Args:
        spec: what to train; in one process.
        every: steps between two looks.

    Raises:
        LabError: the optimizer is not one of adamas, or the run is spread over processes.

    Example:
        >>> from adamas.lab.compare import spec
        >>> result = examine(spec("mlp", "adam", 0, 0.001).model_copy(update={"steps": 40}), every=16)
        >>> result.diagnosis.tracks[0].steps, result.diagnosis.findings
        ((16, 32), ())
    """
    if spec.strategy:
        raise LabError("the doctor looks at runs in one process only", "leave out --strategy")
    with reproducible():
        training = Training(spec)
        optimizer = training.optimizer
        if not isinstance(optimizer, adamas.Optimizer):
            raise LabError(
                f"the doctor can't look into {type(optimizer).__module__}.{type(optimizer).__name__}",
                "train with an optimizer of adamas: adamas run mlp --optimizer adamw",
            )
        optimizer.diagnose_every = every
        result = finish(training, Checkpoint(None), lambda: False, lambda point: None)
        return result.model_copy(update={"diagnosis": _diagnosis(training, optimizer, every)})


def repeats(run: Run, result: Result) -> bool:
    """Says whether a result has the bits of a run."""
    return [point.train_loss for point in run.result.points] == [point.train_loss for point in result.points]


def _diagnosis(training: Training, optimizer: adamas.Optimizer, every: int) -> Diagnosis:
    assert optimizer.doctor is not None
    own = {id(each): name for name, each in training.model.named_parameters()}
    names: dict[str, str] = {}
    for number, group in enumerate(optimizer.param_groups):
        for place, p in enumerate(group["params"]):
            label = group["param_names"][place] if "param_names" in group else f"{number}.{place}"
            names[label] = own.get(id(p), label)
    noise = optimizer.noise_scale(training.spec.batch_size)
    return Diagnosis(
        every=every,
        findings=tuple(replace(each, where=_renamed(each.where, names)) for each in optimizer.diagnose()),
        tracks=_tracks(optimizer.doctor.looks, names),
        noise_scale=tuple(map(_rounded, (noise.low, noise.examples, noise.high))) if noise else (),
    )


def _renamed(where: tuple[str, ...], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(names.get(name, name) for name in where)


def _tracks(looks: Iterable[Look], names: dict[str, str]) -> tuple[Track, ...]:
    rows: dict[str, list[tuple[int, Seen]]] = {}
    for look in looks:
        for seen in look.seen:
            rows.setdefault(names.get(seen.name, seen.name), []).append((look.count, seen))
    return tuple(
        Track(
            name=name,
            steps=tuple(step for step, _ in row),
            **{what: tuple(_rounded(getattr(seen, what)) for _, seen in row) for what in TRACKED},
        )
        for name, row in rows.items()
    )


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
