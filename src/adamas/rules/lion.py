"""Lion: Chen et al. 2023, "Symbolic discovery of optimization algorithms", arXiv 2302.06675, algorithm 2.

g  gradient           m  momentum, decayed by beta2
beta1  share of m in the direction whose sign is the step
"""

from adamas.rules.adam import M
from adamas.rules.language import sign
from adamas.rules.rule import FirstMoment, Rule


class Lion(Rule):
    """u = lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g."""

    defaults = {"lr": 1e-4, "betas": (0.9, 0.99)}
    slots = (M,)
    decoupled_weight_decay = True

    @staticmethod
    def scalars(h, t):
        return {"lr": h.lr, "beta1": h.beta1, "take1": 1 - h.beta1, "beta2": h.beta2, "take2": 1 - h.beta2}

    @staticmethod
    def update(g, m, c):
        u = c.lr * sign(c.beta1 * m + c.take1 * g)
        return u, c.beta2 * m + c.take2 * g

    @staticmethod
    def first_moment(h, t):
        return FirstMoment(M.name, 1 - h.beta2**t)
