"""Adam with another way around a division by nothing, with Nesterov's look-ahead, cautious: one idea each, or together.

References:
    K. Everett et al., 2024, "Scaling exponents across parameterizations and optimizers", arXiv:2407.05872, section 4.3:
    atan2 in place of the division (here with factor 4/pi, so that a ratio of 1 is a step of lr).
    T. Dozat, 2016, "Incorporating Nesterov momentum into Adam", algorithm 2 with a constant mu.
    K. Liang et al., 2024, "Cautious optimizers: improving training with one line of code", arXiv:2411.16085,
    algorithm 1;
    the mean of the mask is held at 1e-3 as in the authors' code.
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
    decoupled: bool = True,
    amsgrad: bool = False,
    maximize: bool = False,
    eps_mode: str = "add",
    nesterov: bool = False,
    cautious: bool = False,
) -> Trajectory:
    beta1, beta2 = betas
    theta, grads = start(theta0, grads)
    m, v, largest = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, 0.0 if decoupled else weight_decay, maximize)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        largest = np.maximum(largest, v)
        v_hat = (largest if amsgrad else v) / (1 - beta2**t)
        top = m / (1 - beta1**t)
        if nesterov:
            top = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
        if eps_mode == "add":
            u = top / (np.sqrt(v_hat) + eps)
        elif eps_mode == "inside":
            u = top / np.sqrt(v_hat + eps**2)
        else:
            u = 4 / np.pi * np.arctan2(top, np.sqrt(v_hat))
        if cautious:
            mask = (top * g > 0).astype(np.float64)
            u = u * mask / max(mask.mean(), 1e-3)
        theta = theta - lr * u - (lr * weight_decay * theta if decoupled else 0)
        thetas.append(theta)
    return Trajectory(thetas, {"step": len(grads), "exp_avg": m, "exp_avg_sq": v})
