"""Checks of how weights move: too fast, not at all, by the sign, or by a second moment that is out of date."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from adamas.doctor.finding import Finding
from adamas.doctor.history import Look, Seen
from adamas.doctor.patient import WARM, Patient, ranked
from adamas.rules import Rule

HOT = 0.02
SPIKE = 2.3
_DIMS = 2  # biases begin at 0: the size of an update beside theirs means nothing


def too_hot(patient: Patient) -> Finding | None:
    """Weights move by more than a few percent of their size in every step: update / weight, as root mean squares."""
    matrices = {p.name for p in patient.parameters if p.tensor.dim() >= _DIMS}
    found = patient.worst(lambda seen: seen.update_ratio if seen.name in matrices else math.nan, HOT)
    if found is None:
        return None
    return Finding(
        "updates are too hot",
        *found,
        threshold=HOT,
        advice="a smaller lr (a step is usually about 1e-3 of the weights), a longer warm-up, clip_update=1.0.",
        source="Bottou 2012, 'Stochastic gradient descent tricks'; You et al. 2017, arXiv 1708.03888, section 4",
    )


def dead_layer(patient: Patient) -> Finding | None:
    """Every gradient of a parameter is exactly 0 in all that was last seen of it: number of looks."""
    advice = "the units in front of it may never be active (ReLU), or the loss may not depend on it: look there."
    source = "Lu et al. 2020, arXiv 1903.06733 (dying ReLU)"
    recent = {name: seen for name, seen in patient.recent().items() if len(seen) > 1}
    zero = ranked((len(seen), name) for name, seen in recent.items() if all(each.sums.gradient == 0 for each in seen))
    if zero:
        return Finding("a layer is dead", *zero, threshold=2, advice=advice, source=source)
    return None


def sign_like(patient: Patient) -> Finding | None:
    """Most updates of Adam and its kin are of lr's size, by the sign of the gradient: share beyond 0.9 lr."""
    averaged = {
        p.name for p in patient.parameters if hasattr(p.h, "betas") and p.rule.second_moment is not Rule.second_moment
    }
    found = patient.worst(lambda seen: seen.large if seen.name in averaged else math.nan, 0.5, least=3)
    if found is None:
        return None
    return Finding(
        "updates are nearly signs",
        *found,
        threshold=0.5,
        advice="the gradient hardly varies: a smaller batch would do as well, or beta2 is too small to average it.",
        source="Balles & Hennig 2018, arXiv 1705.07774; McCandlish et al. 2018, arXiv 1812.06162",
    )


def second_moment_out_of_date(patient: Patient) -> Finding | None:
    """Gradients grew faster than the second moment follows, in a step or between two looks: RMS of g / sqrt(v)."""
    looks = [look for look in patient.looks if look.count > WARM]
    found = [_now(look.seen) for look in looks] + [_between(a, b) for a, b in pairwise(looks)]
    worst = max((each for each in found if each), key=lambda each: each[1], default=None)
    if worst is None or worst[1] <= SPIKE:
        return None
    return Finding(
        "the second moment is out of date",
        *worst,
        threshold=SPIKE,
        advice="clip_update=1.0 or clip_norm=1.0, a smaller beta2 (0.95), or look for the batch: losses spike then.",
        source="Wortsman et al. 2023, arXiv 2304.13013, section 3.4 (RMS_t >= 2.3 comes before a spike)",
    )


def _now(seen: Sequence[Seen]) -> tuple[tuple[str, ...], float] | None:
    """Return RMS_t of all parameters together, with those that are above it."""
    judged = [each for each in seen if each.decay is not None]
    numel = sum(each.numel for each in judged)
    if not numel:
        return None
    rms = math.sqrt(max(0.0, sum(each.sums.ratio for each in judged)) / numel)
    return _named([(each.rms, each.name) for each in judged], rms)


def _between(before: Look, after: Look) -> tuple[tuple[str, ...], float] | None:
    """Return the same for the steps between two looks, from how much v grew.

    v_after = decay^k v_before + (1 - decay^k) times a mean of g^2 of these k steps; that mean over v^ is RMS_t squared.
    """
    old = {each.name: each for each in before.seen}
    steps, total, expected, found = after.count - before.count, 0.0, 0.0, []
    for each in after.seen:
        was = old.get(each.name)
        if was is None or each.decay is None or was.sums.second <= 0 or each.decay <= 0:
            continue
        kept = each.decay**steps
        mean, usual = (each.sums.second - kept * was.sums.second) / (1 - kept), was.sums.second * was.unbias
        total, expected = total + mean, expected + usual
        found.append((math.sqrt(max(0.0, mean) / usual), each.name))
    return _named(found, math.sqrt(max(0.0, total) / expected)) if expected > 0 else None


def _named(each: list[tuple[float, str]], rms: float) -> tuple[tuple[str, ...], float] | None:
    found = ranked((x, name) for x, name in each if x >= rms)
    return None if found is None or not math.isfinite(rms) else (found[0], rms)
