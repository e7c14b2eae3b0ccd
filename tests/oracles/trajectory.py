"""What every oracle returns, and the gradient every oracle starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Trajectory(NamedTuple):
    """The weights of a run and what the optimizer remembered at its end."""

    thetas: list[Array]
    """theta_0, theta_1, ..., theta_T."""
    state: dict[str, Any]
    """The moments after step T, under torch's names; a slot that torch does not keep is absent."""


Oracle = Callable[..., Trajectory]


def start(theta0: Array, grads: Iterable[Array]) -> tuple[Array, list[Array]]:
    """Copies the inputs to float64, so that no oracle can write into its caller's arrays."""
    return np.array(theta0, dtype=np.float64), [np.array(g, dtype=np.float64) for g in grads]


def objective_gradient(g: Array, theta: Array, weight_decay: float, maximize: bool) -> Array:
    """Gradient of the objective that is minimised: the given one or its negative, plus the L2 penalty.

    torch decays after it negates: with maximize=True the penalty still pulls the weights to zero.
    """
    return (-g if maximize else g) + weight_decay * theta
