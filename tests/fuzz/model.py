"""An optimizer in float64 NumPy that knows nothing of plans, engines, formats or lagging rows: what a step should do.

It is written from the papers (see `tests.oracles`), a step at a time, because between two steps anything may happen.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Cell:
    """A parameter.

    Attributes:
        value: the weights.
        state: "step", and slots under torch's names; what was never needed is not there.
        grad: the gradient, dense; None if there is none.
        rows: which rows a sparse gradient touches; None if it is dense.
    """

    value: Array
    state: dict[str, Any] = field(default_factory=dict)
    grad: Array | None = None
    rows: Array | None = None


@dataclass
class Group:
    """Parameters with their hyper-parameters."""

    hyper: dict[str, Any]
    cells: list[Cell]


class Model:
    """What an optimizer of adamas should do.

    Args:
        kind: the name of its class: SGD, RMSprop, Adam or AdamW.
        clip_norm: as the optimizer's.
        skip: whether steps with a gradient that is not finite are skipped.
    """

    def __init__(self, kind: str, clip_norm: float | None, skip: bool) -> None:
        self.kind, self.clip_norm, self.skip = kind, clip_norm, skip
        self.groups: list[Group] = []
        self.skipped = 0

    @property
    def cells(self) -> list[Cell]:
        return [cell for group in self.groups for cell in group.cells]

    def snapshot(self) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Return what a checkpoint has: hyper-parameters, and the state of each parameter."""
        return deepcopy([(group.hyper, [cell.state for cell in group.cells]) for group in self.groups])

    def restore(self, saved: list[tuple[dict[str, Any], list[dict[str, Any]]]], hyperparameters: bool) -> None:
        for group, (hyper, states) in zip(self.groups, deepcopy(saved), strict=True):
            if hyperparameters:
                group.hyper = hyper
            for cell, state in zip(group.cells, states, strict=True):
                cell.state = state

    def step(self) -> None:
        grads = [cell.grad for cell in self.cells if cell.grad is not None]
        if self.skip and not all(np.isfinite(grad).all() for grad in grads):
            self.skipped += 1
            return
        factor = 1.0
        if self.clip_norm is not None:
            norm = np.sqrt(sum((grad**2).sum() for grad in grads))
            factor = min(1.0, self.clip_norm / (norm + 1e-6))
        for group in self.groups:
            for cell in group.cells:
                if cell.grad is not None:
                    self._move(cell, group.hyper, factor)

    def _move(self, cell: Cell, h: dict[str, Any], factor: float) -> None:
        # With "exact" a sparse gradient is one that is zero elsewhere; with "lazy" there is nothing elsewhere.
        lazy = cell.rows is not None and h["sparse"] == "lazy"
        at: Any = cell.rows if lazy else ...
        x = cell.value[at]
        g = (-factor if h["maximize"] else factor) * cell.grad[at]  # type: ignore[index]
        decay, decoupled = h["weight_decay"], self.kind == "AdamW"
        if decoupled:
            x = (1 - h["lr"] * decay) * x
        else:
            g = g + decay * x
        step = {"SGD": self._sgd, "RMSprop": self._rmsprop}.get(self.kind, self._adam)
        cell.value[at] = x - step(cell, at, g, h)

    @staticmethod
    def _sgd(cell: Cell, at: Any, g: Array, h: dict[str, Any]) -> Array:
        mu = h["momentum"]
        if not mu:
            return h["lr"] * g
        first = "momentum_buffer" not in cell.state
        b = slot(cell, "momentum_buffer")
        b[at] = mu * b[at] + (1.0 if first else 1 - h["dampening"]) * g
        return h["lr"] * b[at]

    @staticmethod
    def _rmsprop(cell: Cell, at: Any, g: Array, h: dict[str, Any]) -> Array:
        count(cell)
        v, alpha = slot(cell, "square_avg"), h["alpha"]
        v[at] = alpha * v[at] + (1 - alpha) * g * g
        variance = v[at]
        if h["centered"]:
            a = slot(cell, "grad_avg")
            a[at] = alpha * a[at] + (1 - alpha) * g
            variance = np.maximum(variance - a[at] ** 2, 0.0)
        u = g / (np.sqrt(variance) + h["eps"])
        if h["momentum"]:
            b = slot(cell, "momentum_buffer")
            b[at] = h["momentum"] * b[at] + u
            u = b[at]
        return h["lr"] * u

    @staticmethod
    def _adam(cell: Cell, at: Any, g: Array, h: dict[str, Any]) -> Array:
        t, (beta1, beta2) = count(cell), h["betas"]
        m, v = slot(cell, "exp_avg"), slot(cell, "exp_avg_sq")
        m[at] = beta1 * m[at] + (1 - beta1) * g
        v[at] = beta2 * v[at] + (1 - beta2) * g * g
        below = v[at]
        if h["amsgrad"]:
            top = slot(cell, "max_exp_avg_sq")
            top[at] = below = np.maximum(top[at], below)
        return h["lr"] * (m[at] / (1 - beta1**t)) / (np.sqrt(below / (1 - beta2**t)) + h["eps"])


def count(cell: Cell) -> int:
    """Count a step; return its number."""
    cell.state["step"] = cell.state.get("step", 0) + 1
    return cell.state["step"]


def slot(cell: Cell, name: str) -> Array:
    """Return a slot, made of zeros if it is not there."""
    if name not in cell.state:
        cell.state[name] = np.zeros_like(cell.value)
    return cell.state[name]
