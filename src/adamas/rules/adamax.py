"""Adamax: Kingma & Ba 2015, arXiv 1412.6980, algorithm 2.

g  gradient           m  first moment, as in Adam
n  infinity norm of the gradients, decayed by beta2 a step
"""

from adamas.rules.adam import Adam, M
from adamas.rules.language import absolute, lerp, maximum
from adamas.rules.rule import Rule, Slot


class Adamax(Rule):
    """n = max(beta2 n, |g| + eps), u = lr m / ((1 - beta1^t) n).

    The paper has no eps; torch adds it to |g| so that n is never 0, and so do we.
    """

    defaults = {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    slots = (M, Slot("exp_inf", signed=False))

    @staticmethod
    def scalars(h, t):
        return {"take1": 1 - h.beta1, "beta2": h.beta2, "eps": h.eps, "step": h.lr / (1 - h.beta1**t)}

    @staticmethod
    def update(g, m, n, c):
        m = lerp(m, g, c.take1)
        n = maximum(c.beta2 * n, absolute(g) + c.eps)
        return c.step * m / n, m, n

    first_moment = Adam.first_moment
