"""RMSprop, plain and centered, with momentum.

References:
    T. Tieleman, G. Hinton, 2012, "Lecture 6.5 - rmsprop", Neural Networks for Machine Learning, slide 29:
    MeanSquare(w, t) = 0.9 MeanSquare(w, t-1) + 0.1 (dE/dw)^2, and the gradient is divided by its root.
    A. Graves, 2013, "Generating sequences with recurrent neural networks", arXiv:1308.0850, equations 38-41:
    n is the mean square, g the mean, Delta the momentum (centered: the divisor is the root of the variance).

torch differs from Graves: eps stands outside the root, and the learning rate multiplies the momentum when the
weight is written, not when the momentum takes up the gradient.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .trajectory import Array, Trajectory, objective_gradient, start


def run(
    theta0: Array,
    grads: Iterable[Array],
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> Trajectory:
    theta, grads = start(theta0, grads)
    n, mean, delta = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    thetas = [theta]
    for g in grads:
        g = objective_gradient(g, theta, weight_decay, maximize)
        n = alpha * n + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        variance = n - mean**2 if centered else n
        delta = momentum * delta + g / (np.sqrt(variance) + eps)
        theta = theta - lr * delta
        thetas.append(theta)
    state: dict[str, Any] = {"step": len(grads), "square_avg": n}
    if centered:
        state["grad_avg"] = mean
    if momentum:
        state["momentum_buffer"] = delta
    return Trajectory(thetas, state)
