"""AdaGrad: Duchi, Hazan & Singer 2011, JMLR 12, section 1.1 (diagonal form).

g  gradient       s  sum of squared gradients
lr step size, divided by 1 + (t - 1) lr_decay
"""

from adamas.rules.language import sqrt
from adamas.rules.rule import Rule, Slot


class Adagrad(Rule):
    """s = s + g^2, u = lr_t g / (sqrt(s) + eps)."""

    defaults = {"lr": 1e-2, "lr_decay": 0.0, "eps": 1e-10, "initial_accumulator_value": 0.0}
    slots = (Slot("sum", signed=False, start="initial_accumulator_value", grows=True),)

    @staticmethod
    def scalars(h, t):
        return {"lr": h.lr / (1 + (t - 1) * h.lr_decay), "eps": h.eps}

    @staticmethod
    def update(g, s, c):
        s = s + g * g
        return c.lr * g / (sqrt(s) + c.eps), s
