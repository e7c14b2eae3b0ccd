"""Adam: Kingma & Ba 2015, arXiv 1412.6980, algorithm 1; AMSGrad: Reddi, Kale & Kumar 2018, algorithm 2.

    g  gradient                             lr     step size, in parameter units per step
    m  first moment, mean of g              beta1  decay of m, memory about 1 / (1 - beta1) steps
    v  second moment, mean of g^2           beta2  decay of v, memory about 1 / (1 - beta2) steps

AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2) is Adam with decoupled decay, which the engine applies.
"""

from adamas.rules.host import host_sqrt
from adamas.rules.language import lerp, maximum, sqrt
from adamas.rules.rule import FirstMoment, Rule, SecondMoment, Slot

M, V = Slot("exp_avg"), Slot("exp_avg_sq", signed=False)


class Adam(Rule):
    """m and v as above; u = lr m^ / (sqrt(v^) + eps), with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)."""

    defaults = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    slots = (M, V)

    @staticmethod
    def scalars(h, t):
        return {
            "take1": 1 - h.beta1,
            "beta2": h.beta2,
            "take2": 1 - h.beta2,
            "eps": h.eps,
            "step": h.lr / (1 - h.beta1**t),
            "unbias": 1 / host_sqrt(1 - h.beta2**t),
        }

    @staticmethod
    def update(g, m, v, c):
        m = lerp(m, g, c.take1)
        v = c.beta2 * v + c.take2 * (g * g)
        return c.step * m / (sqrt(v) * c.unbias + c.eps), m, v

    @staticmethod
    def first_moment(h, t):
        return FirstMoment(M.name, 1 - h.beta1**t)

    @staticmethod
    def second_moment(h, t):
        return SecondMoment(V.name, h.beta2, 1 / (1 - h.beta2**t))

    @staticmethod
    def fold(scalars, part):
        # AdamA (Zhang et al. 2023, arXiv 2305.19982, algorithm 2). m decays in equal shares, so that one lerp takes
        # each part; its factor makes up for what later shares take from it. v decays with the first part only.
        share = (1 - scalars["take1"]) ** (1 / part.of)
        factor = scalars["take1"] / ((1 - share) * share ** (part.of - part.number))
        return factor, {
            **scalars,
            "take1": 1 - share,
            "beta2": scalars["beta2"] if part.number == 1 else 1.0,
            "take2": scalars["take2"] / factor**2,
            "step": scalars["step"] if part.number == part.of else 0.0,
        }


class AMSGrad(Adam):
    """Adam with the largest v so far in the denominator.

    Bias correction is kept, as in torch; the paper has none.
    """

    slots = (M, V, Slot("max_exp_avg_sq", signed=False, late=True))

    @staticmethod
    def update(g, m, v, x, c):
        m = lerp(m, g, c.take1)
        v = c.beta2 * v + c.take2 * (g * g)
        x = maximum(x, v)
        return c.step * m / (sqrt(x) * c.unbias + c.eps), m, v, x


class SparseAdam(Adam):
    """Adam as in ``torch.optim.SparseAdam``: u = lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps).

    It is the last form of the step in section 2 of Kingma & Ba 2015: eps is added before the bias correction of v.
    """

    @staticmethod
    def scalars(h, t):
        corrected = Adam.scalars(h, t)
        return {**corrected, "step": corrected["step"] * host_sqrt(1 - h.beta2**t), "unbias": 1.0}
