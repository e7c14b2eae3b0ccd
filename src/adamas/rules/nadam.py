"""NAdam: Dozat 2016, "Incorporating Nesterov momentum into Adam", algorithm 2 with its momentum schedule.

g, m, v  as in Adam
mu_t     beta1 (1 - 0.96^(t momentum_decay) / 2), and its product over all steps so far
"""

from adamas.rules.adam import Adam, M, V
from adamas.rules.language import lerp, sqrt
from adamas.rules.rule import STEP, Counter, Rule


class NAdam(Rule):
    """u = lr (mu_{t+1} m / (1 - prod mu up to t+1) + (1 - mu_t) g / (1 - prod mu up to t)) / (sqrt(v^) + eps)."""

    defaults = {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "momentum_decay": 4e-3}
    slots = (M, V)
    counters = (STEP, Counter("mu_product", start=1.0))

    @staticmethod
    def advance(h, t, mu_product):
        return {"mu_product": mu_product * _mu(h, t)}  # a tensor: rounded to its dtype, as torch does

    @staticmethod
    def scalars(h, t, mu_product):
        mu, mu_next = _mu(h, t), _mu(h, t + 1)
        return {
            "take1": 1 - h.beta1,
            "beta2": h.beta2,
            "take2": 1 - h.beta2,
            "eps": h.eps,
            "unbias": 1 / (1 - h.beta2**t),
            "by_g": h.lr * (1 - mu) / (1 - mu_product),
            "by_m": h.lr * mu_next / (1 - mu_product * mu_next),
        }

    @staticmethod
    def update(g, m, v, c):
        m = lerp(m, g, c.take1)
        v = c.beta2 * v + c.take2 * (g * g)
        d = sqrt(v * c.unbias) + c.eps
        return (
            (c.by_g * g / d, c.by_m * m / d),
            m,
            v,
        )  # two steps, as in torch: the weight is rounded after each

    first_moment, second_moment = Adam.first_moment, Adam.second_moment


def _mu(h, t):
    return h.beta1 * (1 - 0.5 * 0.96 ** (t * h.momentum_decay))
