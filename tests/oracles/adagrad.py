"""AdaGrad with a diagonal matrix.

Reference:
    J. Duchi, E. Hazan, Y. Singer, 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, Figure 1 (diagonal matrices, composite mirror descent with phi = 0):
    s_t = ||g_{1:t}||_2 elementwise, H_t = delta I + diag(s_t), theta = theta - eta H_t^{-1} g_t.

torch keeps G = s^2, lets it start above zero, and lets the step size fall as 1 / (1 + (t - 1) lr_decay).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .trajectory import Array, Trajectory, objective_gradient, start


def run(
    theta0: Array,
    grads: Iterable[Array],
    *,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> Trajectory:
    delta = eps
    theta, grads = start(theta0, grads)
    sum_of_squares = np.full_like(theta, initial_accumulator_value)  # s^2
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, weight_decay, maximize)
        eta = lr / (1 + (t - 1) * lr_decay)
        sum_of_squares = sum_of_squares + g**2
        s = np.sqrt(sum_of_squares)
        theta = theta - eta * g / (delta + s)
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "sum": sum_of_squares})
