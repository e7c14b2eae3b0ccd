"""Checks of what an optimizer was given: parameters, betas, decay."""

from __future__ import annotations

import math

from adamas.doctor.finding import Finding
from adamas.doctor.patient import Patient, ranked
from adamas.rules import Rule
from adamas.shards import local


def listed_twice(patient: Patient) -> Finding | None:
    """A parameter is listed twice, or two of them share their memory (tied by data, not by name): how often."""
    found: dict[object, list[str]] = {}
    for p in patient.parameters:
        here = local(p.tensor)
        if here.numel():
            place = (here.data_ptr(), here.numel(), here.device)
            found.setdefault(place, []).append(p.name)
    twice = ranked((len(names), name) for names in found.values() if len(names) > 1 for name in dict.fromkeys(names))
    if twice is None:
        return None
    return Finding(
        "a weight is stepped twice",
        *twice,
        threshold=1,
        advice="tie modules by the same Parameter (head.weight = embedding.weight) and list it once.",
        source="torch.optim.Optimizer.add_param_group: duplicate parameters are an error to come",
    )


def never_a_gradient(patient: Patient) -> Finding | None:
    """A parameter never had a gradient: number of steps without."""
    if not patient.looks:
        return None
    seen = {each.name for look in patient.looks for each in look.seen}
    steps = patient.doctor.steps
    found = ranked((steps, p.name) for p in patient.parameters if p.name not in seen and not p.stepped)
    if found is None:
        return None
    return Finding(
        "a parameter never got a gradient",
        *found,
        threshold=1,
        advice="if it is meant to be frozen, leave it out of the optimizer; else look for detach(), no_grad() and "
        "requires_grad=False on its way to the loss.",
        source="torch: p.grad stays None, and the step passes it over in silence",
    )


def betas_too_close(patient: Patient) -> Finding | None:
    """beta1^2 >= beta2, where Adam need not converge and its steps are not bounded by lr: beta1^2."""
    found = []
    for p in patient.parameters:
        betas = getattr(p.h, "betas", None)
        if betas and p.rule.second_moment is not Rule.second_moment and betas[0] ** 2 >= betas[1]:
            found.append((betas[0] ** 2, betas[1], p.name))
    if not found:
        return None
    square, beta2, _ = max(found)
    return Finding(
        "beta1^2 >= beta2",
        tuple(name for *_, name in found),
        square,
        threshold=beta2,
        advice="a larger beta2 (0.95 to 0.999): the second moment must remember longer than the first.",
        source="Zhang et al. 2022, arXiv 2208.09632; Kingma & Ba 2015, theorem 4.1",
    )


def decay_on_norms(patient: Patient) -> Finding | None:
    """Weight decay acts on biases and gains, which it only pulls away from where they should be: weight_decay."""
    found = ranked(
        (p.h.weight_decay, p.name)
        for p in patient.parameters
        if p.tensor.dim() < 2 and getattr(p.h, "weight_decay", 0.0) > 0 and not math.isnan(p.h.weight_decay)
    )
    if found is None:
        return None
    return Finding(
        "weight decay acts on biases and norms",
        *found,
        threshold=0,
        advice="adamas.param_groups(model, weight_decay=...) gives them a group without decay.",
        source="He et al. 2019, arXiv 1812.01187, section 3.1",
    )
