"""Adam, and AdamW (decoupled weight decay).

References:
    D. P. Kingma, J. Ba, 2015, "Adam: a method for stochastic optimization", arXiv:1412.6980, Algorithm 1.
    I. Loshchilov, F. Hutter, 2019, "Decoupled weight decay regularization", arXiv:1711.05101, Algorithm 2,
    both its lines: L2 (line 6) adds lambda theta to the gradient, decoupled (line 12) to the step.

The decay of Algorithm 2 is eta_t lambda theta, with the schedule eta_t alone. torch multiplies it with the
whole learning rate, eta_t alpha, and applies it to theta before the step, which is the same as beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

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
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, l2, maximize)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - alpha * (m_hat / (np.sqrt(v_hat) + eps) + decoupled * theta)
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "exp_avg": m, "exp_avg_sq": v})


run_adamw = partial(run, weight_decay=1e-2, decoupled_weight_decay=True)
"""AdamW: the decoupled line, with torch's default decay."""
