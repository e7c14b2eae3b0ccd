"""The doctor: what a run's steps do, what is wrong with them, and what to change."""

from adamas.doctor.checks import findings
from adamas.doctor.finding import Finding
from adamas.doctor.history import Doctor, Look, Seen
from adamas.doctor.noise_scale import NoiseMeter, NoiseScale, from_looks, from_parts, square_of
from adamas.doctor.patient import Patient
from adamas.doctor.rescale import rescale
from adamas.doctor.scalars import log_mlflow, scalars, write_tensorboard

__all__ = [
    "Doctor",
    "Finding",
    "Look",
    "NoiseMeter",
    "NoiseScale",
    "Patient",
    "Seen",
    "findings",
    "from_looks",
    "from_parts",
    "log_mlflow",
    "rescale",
    "scalars",
    "square_of",
    "write_tensorboard",
]
