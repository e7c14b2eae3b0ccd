"""What the doctor saw last as plain numbers by name, for whatever draws curves: TensorBoard and MLflow."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from adamas.doctor.history import Look, Seen

_OF_EACH = ("update_ratio", "update_rms", "rms", "lost", "large", "under")


def scalars(look: Look) -> dict[str, float]:
    """Return the numbers of one look: ``doctor/<what>/<parameter>``, and a few of all parameters together.

    Without a number (no weight, no second moment, nothing that moved) there is no entry. See `Seen` for what they are.
    No name is the beginning of another: MLflow may keep them as files in folders.
    """
    found = {f"doctor/{what}/{seen.name}": getattr(seen, what) for seen in look.seen for what in _OF_EACH}
    found |= {
        "doctor/gradient_norm": math.sqrt(_total(look, "gradient")),
        "doctor/update_norm": math.sqrt(_total(look, "update")),
        "doctor/weight_norm": math.sqrt(_total(look, "weight")),
        "doctor/nonfinite": _total(look, "nonfinite"),
        "doctor/whole_rms": _rms([seen for seen in look.seen if seen.decay is not None]),
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def write_tensorboard(writer: Any, optimizer: Any, step: int) -> None:
    """Give the last look to a ``torch.utils.tensorboard.SummaryWriter``, or to what has its ``add_scalar``.

    Args:
        writer: it.
        optimizer: one of adamas with a doctor.
        step: where on the axis.
    """
    for name, value in optimizer.scalars().items():
        writer.add_scalar(name, value, step)


def log_mlflow(optimizer: Any, step: int) -> None:
    """Log the last look to MLflow's active run.

    Args:
        optimizer: one of adamas with a doctor.
        step: where on the axis.

    Raises:
        ImportError: if MLflow is not installed.
    """
    mlflow = import_module("mlflow")  # only when it is used
    mlflow.log_metrics(optimizer.scalars(), step=step)


def _total(look: Look, what: str) -> float:
    total = sum(getattr(seen.sums, what) for seen in look.seen)
    return total if total >= 0 else math.nan


def _rms(judged: list[Seen]) -> float:
    numel = sum(seen.numel for seen in judged)
    total = sum(seen.sums.ratio for seen in judged)
    return math.sqrt(total / numel) if numel and total >= 0 else math.nan
