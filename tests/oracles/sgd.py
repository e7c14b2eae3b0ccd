"""SGD with momentum, dampening and Nesterov's lookahead.

References:
    B. T. Polyak, 1964, "Some methods of speeding up the convergence of iteration methods" (momentum).
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, 2013, "On the importance of initialization and momentum in
    deep learning", ICML, equations 1-2 (momentum) and 3-4 (Nesterov).

The paper's velocity contains the step size: v = mu v - eps g, theta = theta + v. torch keeps b = -v / eps
instead, so that a change of the learning rate acts at once on the whole velocity; for a constant one both are
the same. torch's theta is the paper's point of lookahead, theta + mu v, where the gradient of equation 3 is
taken. Dampening is torch's own; the first b is the first gradient, undamped.
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
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Trajectory:
    eps, mu, tau = lr, momentum, dampening  # the paper's letters; tau is torch's
    theta, grads = start(theta0, grads)
    b = np.zeros_like(theta)
    thetas = [theta]
    for t, g in enumerate(grads, start=1):
        g = objective_gradient(g, theta, weight_decay, maximize)
        b = g if t == 1 else mu * b + (1 - tau) * g
        d = g + mu * b if nesterov else b
        theta = theta - eps * (d if mu else g)
        thetas.append(theta)
    return Trajectory(thetas, {"momentum_buffer": b} if mu else {})
