"""The algorithms of the papers in float64 NumPy: what every engine is measured against.

One file per rule, in the paper's letters. Where torch's convention differs from the paper's, torch's is
taken, and the file's docstring says how the two differ.

`ORACLES[optimizer, variant]` is a run with hyper-parameters under torch's names:

>>> import numpy as np
>>> thetas, state = ORACLES["SGD", "momentum"](np.ones(1), [np.ones(1), np.ones(1)], lr=0.5)
>>> thetas[-1], state["momentum_buffer"]
(array([-0.45]), array([1.9]))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import adagrad, adam, adamax, amsgrad, lion, nadam, radam, rmsprop, sgd
from .trajectory import Array, Oracle, Trajectory

__all__ = ["ORACLES", "Trajectory", "Variant"]


@dataclass(frozen=True)
class Variant:
    """An oracle with the hyper-parameters that make it this variant of its optimizer."""

    oracle: Oracle
    hyper: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, theta0: Array, grads: Iterable[Array], **hyper: Any) -> Trajectory:
        return self.oracle(theta0, grads, **{**self.hyper, **hyper})


_L2 = {"weight_decay": 0.1}
_DECOUPLED = {"weight_decay": 0.1, "decoupled_weight_decay": True}
_MAXIMIZE = {"weight_decay": 0.1, "maximize": True}

_VARIANTS: dict[str, tuple[Oracle, dict[str, dict[str, Any]]]] = {
    "SGD": (
        sgd.run,
        {
            "plain": {},
            "l2": _L2,
            "maximize": _MAXIMIZE,
            "momentum": {"momentum": 0.9},
            "dampening": {"momentum": 0.9, "dampening": 0.5},
            "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        },
    ),
    "Adagrad": (
        adagrad.run,
        {
            "plain": {},
            "l2": _L2,
            "maximize": _MAXIMIZE,
            "lr_decay": {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.1},
            "initial_accumulator": {"initial_accumulator_value": 0.1},
        },
    ),
    "RMSprop": (
        rmsprop.run,
        {
            "plain": {},
            "l2": _L2,
            "maximize": _MAXIMIZE,
            "momentum": {"momentum": 0.9},
            "centered": {"centered": True},
            "centered_momentum": {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "maximize": True},
        },
    ),
    "Adam": (
        adam.run,
        {
            "plain": {},
            "l2": _L2,
            "decoupled": _DECOUPLED,
            "maximize": _MAXIMIZE,
            "short_memory": {"betas": (0.5, 0.75), "eps": 1e-3},
            "no_momentum": {"betas": (0.0, 0.9)},
        },
    ),
    "AdamW": (adam.run_adamw, {"plain": {}, "decoupled": {"weight_decay": 0.1}, "maximize": _MAXIMIZE}),
    "NAdam": (
        nadam.run,
        {
            "plain": {},
            "l2": _L2,
            "decoupled": _DECOUPLED,
            "maximize": _MAXIMIZE,
            "momentum_decay": {"momentum_decay": 6e-2},
        },
    ),
    "RAdam": (
        radam.run,
        {
            "plain": {},
            "l2": _L2,
            "decoupled": _DECOUPLED,
            "maximize": _MAXIMIZE,
            # rho_inf = 2 / (1 - 0.75) - 1 = 7: the divisor is switched on late. With 0.5 it would be 3, and
            # never be.
            "late": {"betas": (0.9, 0.75)},
            "never": {"betas": (0.9, 0.5)},
        },
    ),
    "Adamax": (
        adamax.run,
        {"plain": {}, "l2": _L2, "maximize": _MAXIMIZE, "short_memory": {"betas": (0.5, 0.75)}},
    ),
    "Lion": (
        lion.run,
        {
            "plain": {},
            "decoupled": {"weight_decay": 0.1},
            "maximize": _MAXIMIZE,
            "short_memory": {"betas": (0.5, 0.75)},
        },
    ),
}

ORACLES: dict[tuple[str, str], Variant] = {
    (optimizer, variant): Variant(oracle, hyper)
    for optimizer, (oracle, variants) in _VARIANTS.items()
    for variant, hyper in variants.items()
}

_AMSGRAD = {"amsgrad": {}, "amsgrad_l2": _L2, "amsgrad_decoupled": _DECOUPLED}
ORACLES |= {("Adam", name): Variant(amsgrad.run, {"amsgrad": True, **hyper}) for name, hyper in _AMSGRAD.items()}
ORACLES["AdamW", "amsgrad"] = Variant(amsgrad.run_adamw, {"amsgrad": True})
