"""The doctor: what a run's steps do, what is wrong with them, and what to change."""

from adamas.doctor.checks import findings
from adamas.doctor.finding import Finding
from adamas.doctor.history import Doctor, Look, Seen
from adamas.doctor.patient import Patient

__all__ = ["Doctor", "Finding", "Look", "Patient", "Seen", "findings"]
