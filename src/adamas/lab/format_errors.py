"""How far the updates of few-bit moments are from those of float32 moments, on the gradients of a real training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import adamas
from adamas.lab.spec import RunSpec
from adamas.lab.train import Training

FORMATS: Mapping[str, Any] = {
    "bfloat16": "bfloat16",
    "int8": "int8",
    "int4 m, int8 v": {"exp_avg": "int4", "exp_avg_sq": "int8"},
    "int4": "int4",
}
WARMUP = 50
"""Steps that are not counted: moments begin at zero, and any format has that."""


@dataclass
class Error:
    """What was measured of one format on one parameter.

    Attributes:
        total: sum over steps of |u - u32| / |u32|, u the update of Adam.
        largest: the largest |u| of any element, in learning rates.
        steps: how many were entered.
    """

    total: float = 0.0
    largest: float = 0.0
    steps: int = 0

    @property
    def relative(self) -> float:
        """The mean over the steps so far."""
        return self.total / max(self.steps, 1)

    def add(self, update: Tensor, exact: Tensor) -> None:
        """Enter one step."""
        self.total += ((update - exact).norm() / exact.norm().clamp_min(1e-30)).item()
        self.largest = max(self.largest, update.abs().max().item())
        self.steps += 1


class Shadow:
    """A parameter that gets real gradients and is put back to zero after every step: what it becomes is the update.

    Args:
        state_format: of its moments.
        like: the parameter whose gradients it gets.
    """

    def __init__(self, state_format: Any, like: Tensor):
        self.p = torch.nn.Parameter(torch.zeros_like(like))
        self.optimizer = adamas.Adam([self.p], lr=1.0, state_format=state_format)

    def update(self, grad: Tensor) -> Tensor:
        """Return what Adam would subtract with lr 1."""
        self.p.grad = grad
        self.optimizer.step()
        update = -self.p.detach().clone()
        with torch.no_grad():
            self.p.zero_()
        return update


def measure(spec: RunSpec, parameters: int) -> Iterator[tuple[int, dict[str, dict[str, Error]]]]:
    """Train a workload, and feed its gradients to Adam in every format.

    Args:
        spec: the training.
        parameters: how many of its largest matrices to watch.

    Yields:
        Steps done, and the errors so far by parameter and format.
    """
    training = Training(spec)
    named = [(name, p) for name, p in training.model.named_parameters() if p.requires_grad and p.dim() > 1]
    watched = sorted(named, key=lambda pair: -pair[1].numel())[:parameters]
    shadows = {
        name: {form: Shadow(choice, p) for form, choice in {"float32": "float32", **FORMATS}.items()}
        for name, p in watched
    }
    errors = {name: {form: Error() for form in FORMATS} for name, _ in watched}
    while not training.finished:
        training.advance()
        for name, p in watched:
            assert p.grad is not None
            updates = {form: shadow.update(p.grad) for form, shadow in shadows[name].items()}
            if training.step > WARMUP:
                for form in FORMATS:
                    errors[name][form].add(updates[form], updates["float32"])
        yield training.step, errors
