"""AMSGrad: Adam whose divisor never falls.

Reference:
    S. J. Reddi, S. Kale, S. Kumar, 2018, "On the convergence of Adam and beyond", ICLR, arXiv:1904.09237,
    Algorithm 2: v_hat_t = max(v_hat_{t-1}, v_t), theta = theta - alpha_t m_t / sqrt(v_hat_t).

The paper has no bias correction and no eps. torch takes the maximum of the uncorrected v, then corrects it
and m as Adam does. The corrected divisor may therefore still fall in the first steps, while 1 - beta2^t grows
faster than the maximum.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Literal

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
    amsgrad: Literal[True] = True,  # torch's flag: it is what chose this file
) -> Trajectory:
    alpha, (beta1, beta2) = lr, betas
    l2, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    theta, grads = start(theta0, grads)
    m, v, v_max = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, l2, maximize)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_max = np.maximum(v_max, v)
        m_hat = m / (1 - beta1**t)
        v_hat = v_max / (1 - beta2**t)
        theta = theta - alpha * (m_hat / (np.sqrt(v_hat) + eps) + decoupled * theta)
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "exp_avg": m, "exp_avg_sq": v, "max_exp_avg_sq": v_max})


run_adamw = partial(run, weight_decay=1e-2, decoupled_weight_decay=True)
"""AdamW with amsgrad=True."""
