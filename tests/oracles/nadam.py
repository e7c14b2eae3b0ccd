"""NAdam: Adam with Nesterov's lookahead.

Reference:
    T. Dozat, 2016, "Incorporating Nesterov momentum into Adam", ICLR workshop, Algorithm 2, with
    the warming momentum mu_t = mu (1 - 0.5 * 0.96^{t psi}), psi = 0.004.

torch takes mu_t in the two weights of the step, but beta1 = mu itself in the moving average m; the paper
takes mu_t in both. eps stands outside the root.
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
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Trajectory:
    alpha, (mu, nu), psi = lr, betas, momentum_decay
    l2, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)

    def momentum(t: int) -> float:
        return mu * (1 - 0.5 * 0.96 ** (t * psi))

    theta, grads = start(theta0, grads)
    m, n = np.zeros_like(theta), np.zeros_like(theta)
    mu_product = 1.0
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, l2, maximize)
        mu_t, mu_next = momentum(t), momentum(t + 1)
        mu_product *= mu_t
        m = mu * m + (1 - mu) * g
        n = nu * n + (1 - nu) * g**2
        m_hat = mu_next * m / (1 - mu_product * mu_next) + (1 - mu_t) * g / (1 - mu_product)
        n_hat = n / (1 - nu**t)
        theta = theta - alpha * (m_hat / (np.sqrt(n_hat) + eps) + decoupled * theta)
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "mu_product": mu_product, "exp_avg": m, "exp_avg_sq": n})
