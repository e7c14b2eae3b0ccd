"""AdaMax: Adam with the infinity norm.

Reference:
    D. P. Kingma, J. Ba, 2015, "Adam: a method for stochastic optimization", arXiv:1412.6980, Algorithm 2:
    u_t = max(beta2 u_{t-1}, |g_t|), theta = theta - alpha / (1 - beta1^t) m_t / u_t.

The paper divides by u itself. torch adds eps to |g| inside the maximum, so a u that once was
larger does not contain it, and a weight that never had a gradient divides zero by eps.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .trajectory import Array, Trajectory, objective_gradient, start


def run(
    theta0: Array,
    grads: Iterable[Array],
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> Trajectory:
    alpha, (beta1, beta2) = lr, betas
    theta, grads = start(theta0, grads)
    m, u = np.zeros_like(theta), np.zeros_like(theta)
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, weight_decay, maximize)
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, np.abs(g) + eps)
        theta = theta - alpha / (1 - beta1**t) * m / u
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "exp_avg": m, "exp_inf": u})
