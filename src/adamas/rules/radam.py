"""RAdam: Liu et al. 2020, "On the variance of the adaptive learning rate and beyond", arXiv 1908.03265, algorithm 2.

g, m, v  as in Adam
rho_t    length of the simple moving average that v amounts to; the step is adaptive once it exceeds 5
r_t      variance rectification
"""

from adamas.rules.adam import Adam, M, V
from adamas.rules.host import host_sqrt
from adamas.rules.language import lerp, sqrt
from adamas.rules.rule import Rule


class RAdam(Rule):
    """u = lr m^ while rho_t <= 5, then lr r_t m^ sqrt(1 - beta2^t) / (sqrt(v) + eps)."""

    defaults = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    slots = (M, V)

    @staticmethod
    def scalars(h, t):
        unbias1, unbias2 = 1 - h.beta1**t, 1 - h.beta2**t
        rho_inf = 2 / (1 - h.beta2) - 1
        rho = rho_inf - 2 * t * h.beta2**t / unbias2
        adapts = rho > 5
        r = host_sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) if adapts else 0.0
        return {
            "take1": 1 - h.beta1,
            "beta2": h.beta2,
            "take2": 1 - h.beta2,
            # Before rho_t exceeds 5 the adaptive term has weight 0; its denominator must not be 0 then.
            "eps": h.eps if adapts else 1.0,
            "adaptive": h.lr / unbias1 * r * host_sqrt(unbias2),
            "plain": 0.0 if adapts else h.lr / unbias1,
        }

    @staticmethod
    def update(g, m, v, c):
        m = lerp(m, g, c.take1)
        v = c.beta2 * v + c.take2 * (g * g)
        return c.adaptive * m / (sqrt(v) + c.eps) + c.plain * m, m, v

    first_moment, second_moment = Adam.first_moment, Adam.second_moment
