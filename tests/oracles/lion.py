"""Lion: the sign of an interpolated momentum.

Reference:
    X. Chen, C. Liang, D. Huang, E. Real, K. Wang, Y. Liu, H. Pham, X. Dong, T. Luong, C.-J. Hsieh, Y. Lu, Q.
    V. Le, 2023, "Symbolic discovery of optimization algorithms", arXiv:2302.06675, Algorithm 2.

As in the paper, the decay is decoupled and multiplied by the learning rate, and sign(0) = 0. torch has no
Lion; step and exp_avg are its names for the number of steps and a moving average of the gradient.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .trajectory import Array, Trajectory, objective_gradient, start


def run(
    theta0: Array,
    grads: Iterable[Array],
    *,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> Trajectory:
    eta, (beta1, beta2), decay = lr, betas, weight_decay
    theta, grads = start(theta0, grads)
    m = np.zeros_like(theta)
    thetas = [theta]
    for g in grads:
        g = objective_gradient(g, theta, 0.0, maximize)
        c = beta1 * m + (1 - beta1) * g
        theta = theta - eta * (np.sign(c) + decay * theta)
        m = beta2 * m + (1 - beta2) * g
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "exp_avg": m})
