"""Every public optimizer, its twin in torch.optim, and the products that the tests run over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch

import adamas

from ..oracles import ORACLES

TORCH_NAMES = ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "NAdam", "RAdam", "Adamax")
NAMES = (*TORCH_NAMES, "Lion")
ENGINES = ("reference", "cpu")

VARIANTS = [(name, variant, dict(oracle.hyper)) for (name, variant), oracle in ORACLES.items()]
TORCH_VARIANTS = [row for row in VARIANTS if row[0] in TORCH_NAMES]

# One variant per class that keeps as much state as the class can: what must survive copies and checkpoints.
STATEFUL: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.1},
    "Adagrad": {"lr_decay": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {"amsgrad": True},
    "NAdam": {"weight_decay": 0.1},
    "RAdam": {"betas": (0.9, 0.9)},
    "Adamax": {},
    "Lion": {"weight_decay": 0.1},
}


def _variant_ids(rows: list[tuple[str, str, dict[str, Any]]]) -> list[str]:
    return [f"{name}-{variant}" for name, variant, _ in rows]


def _marks(rows: list[tuple[str, str, dict[str, Any]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("name", "hyper"), [(name, hyper) for name, _, hyper in rows], ids=_variant_ids(rows)
    )


every_name = pytest.mark.parametrize("name", NAMES)
every_torch_name = pytest.mark.parametrize("name", TORCH_NAMES)
every_variant = _marks(VARIANTS)
every_torch_variant = _marks(TORCH_VARIANTS)
every_engine = pytest.mark.parametrize("engine", ENGINES)


def ours(name: str, params: Iterable[Any], engine: Any = "auto", **hyper: Any) -> torch.optim.Optimizer:
    return getattr(adamas, name)(params, engine=engine, **hyper)


def theirs(name: str, params: Iterable[Any], **hyper: Any) -> torch.optim.Optimizer:
    """torch's for-loop: the one of its three writings that the other two are tested against."""
    return getattr(torch.optim, name)(params, **{"foreach": False, **hyper})
