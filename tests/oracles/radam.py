"""RAdam: Adam that goes without its divisor until the divisor's variance is known to be small.

Reference:
    L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao, J. Han, 2020, "On the variance of the adaptive learning
    rate and beyond", ICLR, arXiv:1908.03265, Algorithm 2.

The paper trusts the divisor from rho_t > 4, torch from rho_t > 5. The paper has no eps; torch adds it to
sqrt(v) before the bias correction, so that it weighs eps / sqrt(1 - beta2^t) beside the corrected root.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .trajectory import Array, Trajectory, objective_gradient, start


def run(
    theta0: Array,
    grads: Iterable[Array],
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Trajectory:
    alpha, (beta1, beta2) = lr, betas
    l2, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    theta, grads = start(theta0, grads)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    rho_inf = 2 / (1 - beta2) - 1
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, l2, maximize)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 5:
            inverse_root = np.sqrt(1 - beta2**t) / (np.sqrt(v) + eps)  # the paper's l_t
            r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            update = r * m_hat * inverse_root
        else:
            update = m_hat
        theta = theta - alpha * (update + decoupled * theta)
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "exp_avg": m, "exp_avg_sq": v})
