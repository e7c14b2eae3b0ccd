"""Checks of arithmetic: what is not finite, what rounding takes back, what eps decides."""

from __future__ import annotations

import torch

from adamas.doctor.finding import Finding
from adamas.doctor.patient import Parameter, Patient, ranked

# Half the distance from 1 to the number below it: a factor 1 - x with x under that rounds to 1.
HALF_GRAIN = {torch.bfloat16: 2.0**-9, torch.float16: 2.0**-12, torch.float32: 2.0**-25, torch.float64: 2.0**-54}


_NEAR = 4  # half grains


def not_finite(patient: Patient) -> Finding | None:
    """A gradient was infinite or NaN, or a step was skipped because of one: number of elements, or of steps."""
    advice = (
        "look at the batch, the loss and its scale; nonfinite='skip' or 'raise' keeps such a step from the weights, "
        "clip_norm=1.0 keeps gradients from growing to it."
    )
    source = "Micikevicius et al. 2018, arXiv 1710.03740, section 3.2"
    for look in patient.looks:
        found = ranked((seen.sums.nonfinite, seen.name) for seen in look.seen if seen.sums.nonfinite > 0)
        if found:
            return Finding("a gradient is not finite", *found, threshold=0, advice=advice, source=source)
    skipped = patient.optimizer.skipped
    if skipped:
        return Finding("a gradient is not finite", (), skipped, threshold=0, advice=advice, source=source)
    return None


def updates_lost(patient: Patient) -> Finding | None:
    """Most updates of a weight are under half of its grain, and rounded away: share of the updates that are not 0.

    Only where updates are about as small as grains all together: m of a unit that fell silent fades through any grain.
    """
    most = {p.name: _NEAR * HALF_GRAIN.get(p.tensor.dtype.to_real(), 0.0) for p in patient.parameters}
    found = patient.worst(lambda seen: seen.lost if not seen.update_ratio > most[seen.name] else 0.0, 0.5)
    if found is None:
        return None
    return Finding(
        "updates are lost to rounding",
        *found,
        threshold=0.5,
        advice="rounding='stochastic' (no memory) or 'split24' (a byte a weight), or float32 weights.",
        source="Zamirai et al. 2020, arXiv 2010.06192, section 3",
    )


def eps_dominates(patient: Patient) -> Finding | None:
    """Most roots of the second moment are under 10 eps, so that eps decides the step: share of those not 0."""
    found = patient.worst(lambda seen: seen.under, 0.5)
    if found is None:
        return None
    return Finding(
        "eps dominates",
        *found,
        threshold=0.5,
        advice="a smaller eps (1e-8, or 1e-12 for tiny gradients), or scale the loss up: the step is no longer Adam's.",
        source="Choi et al. 2019, arXiv 1910.05446, section 4.1; Wortsman et al. 2023, arXiv 2309.14322, section 3.4",
    )


def decay_rounds_away(patient: Patient) -> Finding | None:
    """Decoupled decay of a step is under half a grain of the weights, and does exactly nothing: grains of it."""
    found = ranked(
        (1 / share, p.name) for p in patient.parameters if 0 < (share := _decay_in_half_grains(patient, p)) < 1
    )
    if found is None:
        return None
    names, inverse = found
    return Finding(
        "weight decay rounds away",
        names,
        1 / inverse,
        threshold=1.0,
        advice="rounding='stochastic' or 'split24': to nearest, p (1 - lr weight_decay) is p again.",
        source="half a grain is 2^-9 of a weight in bfloat16, 2^-12 in float16, 2^-25 in float32 (IEEE 754)",
    )


def _decay_in_half_grains(patient: Patient, p: Parameter) -> float:
    """Return the largest decay of a step so far in half grains of the weight; 0 if none is to be judged."""
    if p.rounding != "nearest" or p.h.keep == 1.0 or not p.h.lr > 0:
        return 0.0
    seen = [each.lr for look in patient.looks for each in look.seen if each.name == p.name]
    rate = (1 - p.h.keep) / p.h.lr
    return rate * max([p.h.lr, *seen]) / HALF_GRAIN.get(p.tensor.dtype.to_real(), 0.0)
