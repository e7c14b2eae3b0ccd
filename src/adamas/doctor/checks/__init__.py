"""The checks: each says one thing about a patient, or None. They come in the order of findings: causes first."""

from __future__ import annotations

from collections.abc import Callable

from adamas.doctor.checks.motion import dead_layer, second_moment_out_of_date, sign_like, too_hot
from adamas.doctor.checks.numbers import decay_rounds_away, eps_dominates, not_finite, updates_lost
from adamas.doctor.checks.schedule import schedule_not_resumed, warm_restart
from adamas.doctor.checks.settings import betas_too_close, decay_on_norms, listed_twice, never_a_gradient
from adamas.doctor.finding import Finding
from adamas.doctor.patient import Patient

CHECKS: tuple[Callable[[Patient], Finding | None], ...] = (
    not_finite,
    listed_twice,
    never_a_gradient,
    betas_too_close,
    schedule_not_resumed,
    warm_restart,
    updates_lost,
    eps_dominates,
    second_moment_out_of_date,
    too_hot,
    dead_layer,
    decay_rounds_away,
    sign_like,
    decay_on_norms,
)


def findings(patient: Patient) -> list[Finding]:
    """Return what all checks found, in their order."""
    return [found for check in CHECKS if (found := check(patient)) is not None]
