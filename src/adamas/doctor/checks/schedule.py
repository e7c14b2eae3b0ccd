"""Checks of learning rates over time: a restart without warm-up, a schedule that did not go on where it was."""

from __future__ import annotations

from itertools import pairwise

from adamas.doctor.finding import Finding
from adamas.doctor.patient import Patient

RISE = 5.0
_SETTLED = 100  # steps after which a rising lr is no longer the first warm-up
_CHANGED = 1.5


def warm_restart(patient: Patient) -> Finding | None:
    """Lr jumps up in the middle of a run, where bias correction no longer makes first steps careful: its factor."""
    worst = 1.0
    for before, after in pairwise(patient.looks):
        was = {seen.name: seen.lr for seen in before.seen}
        for seen in after.seen:
            if seen.decay is not None and before.count >= _SETTLED and was.get(seen.name, 0.0) > 0:
                worst = max(worst, seen.lr / was[seen.name])
    if worst < RISE:
        return None
    return Finding(
        "a warm restart without warm-up",
        (),
        worst,
        threshold=RISE,
        advice="warm up after each restart, or make the optimizer's state anew with it: t is large by then, so bias "
        "correction no longer does it.",
        source="Loshchilov & Hutter 2017, arXiv 1608.03983; Ma & Yarats 2021, arXiv 1910.04209",
    )


def schedule_not_resumed(patient: Patient) -> Finding | None:
    """The first step after a checkpoint was loaded has another lr than the checkpoint: the ratio of the two."""
    ratios = [max(a / b, b / a) if a > 0 and b > 0 else float("inf") for _, a, b in patient.doctor.resumed]
    if not ratios or max(ratios) < _CHANGED:
        return None
    return Finding(
        "the schedule did not resume",
        (),
        max(ratios),
        threshold=_CHANGED,
        advice="make the LR scheduler before optimizer.load_state_dict(), and load its own state_dict() too; do not "
        "call its step() in between.",
        source="torch.optim.lr_scheduler: the constructor of a scheduler takes its first step",
    )
