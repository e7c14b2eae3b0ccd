"""What a run is: everything that decides its numbers, hashed into its identity.

On one machine, two runs with one id have the same bits in every metric. What changes only the clock, such as
the load, is no part of it; where a run ran is recorded beside its result.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field

import adamas
from adamas.lab.environment import engine

Value = bool | int | float | str | tuple[float, ...]
"""A hyper-parameter that goes to an optimizer's class by keyword."""

Settings = Mapping[str, Value]
"""Hyper-parameters by keyword."""


def _canonical(value: Any) -> Any:
    """Writes numbers that are equal in the same way: 1.0 as 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    return value


_LATER = ("peer", "strategy", "devices")
"""Fields that came after the first runs were kept: at their defaults they are no part of the hash."""


class RunSpec(BaseModel):
    """One training run, fully specified.

    Args:
        workload: name in the registry, or `package.module:Class`.
        workload_digest: digest of the workload's source file.
        optimizer: name in the catalogue.
        hyperparameters: every keyword given to the optimizer's class.
        seed: number of the paired seed; it fixes initialization, batch order and dropout.
        steps: training steps.
        batch_size: examples per step.
        eval_every: steps between evaluations.
        peer: distribution and version of an optimizer that is not in the catalogue, such as `schedulefree 1.4`.
        strategy: how one run is spread over processes, `ddp` or `fsdp`; empty for one process.
        devices: processes it is spread over.
        engine: engine of adamas that trains, `cpu` or `reference`.
        adamas: version of adamas that trains.
        torch: version of torch that trains.

    Example:
        >>> spec = RunSpec(workload="mlp", optimizer="sgd", hyperparameters={"lr": 0.1}, seed=0,
        ...                steps=10, batch_size=64, eval_every=5)
        >>> spec.run_id
        'mlp-sgd-seed0-...'
        >>> spec.run_id == spec.model_copy(update={"seed": 1}).run_id
        False
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workload: str
    workload_digest: str = ""
    optimizer: str
    hyperparameters: dict[str, Value]
    seed: int = Field(ge=0)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    eval_every: int = Field(ge=1)
    peer: str = ""
    strategy: str = ""
    devices: int = Field(default=1, ge=1)
    engine: str = Field(default_factory=engine)
    adamas: str = adamas.__version__
    torch: str = torch.__version__

    def canonical_json(self) -> str:
        """The spec as JSON with sorted keys and one spelling for every value."""
        fields = _canonical(self.model_dump(mode="json"))
        for name in _LATER:
            if fields[name] == type(self).model_fields[name].default:
                del fields[name]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def run_id(self) -> str:
        """A name that is safe as a file name and unique to this spec."""
        digest = hashlib.sha256(self.canonical_json().encode()).hexdigest()[:12]
        # A file name has room for 255 bytes, and a peer's keywords can be long.
        workload, optimizer = (re.sub(r"[^\w.]+", "_", name)[:80] for name in (self.workload, self.optimizer))
        return f"{workload}-{optimizer}-seed{self.seed}-{digest}"
