"""RMSProp: Hinton, lecture 6e of "Neural networks for machine learning", 2012; centered: Graves 2013, arXiv 1308.0850.

g  gradient                         a  mean of gradients (centered)
v  mean of squared gradients        b  momentum buffer
alpha  decay of v and a, memory about 1 / (1 - alpha) steps
"""

from adamas.rules.language import lerp, maximum, sqrt
from adamas.rules.rule import FirstMoment, Rule, SecondMoment, Slot

V = Slot("square_avg", signed=False)
A, B = Slot("grad_avg", late=True), Slot("momentum_buffer", late=True)


class RMSprop(Rule):
    """v = alpha v + (1 - alpha) g^2, u = lr g / (sqrt(v) + eps)."""

    defaults = {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0}
    slots = (V,)

    @staticmethod
    def scalars(h, t):
        return {"lr": h.lr, "alpha": h.alpha, "beta": 1 - h.alpha, "eps": h.eps}

    @staticmethod
    def update(g, v, c):
        v = c.alpha * v + c.beta * (g * g)
        return c.lr * g / (sqrt(v) + c.eps), v

    @staticmethod
    def second_moment(h, t):
        return SecondMoment(V.name, h.alpha, 1.0)


class RMSpropMomentum(RMSprop):
    """v as in RMSprop; b = mu b + g / (sqrt(v) + eps), u = lr b."""

    slots = (V, B)

    @staticmethod
    def scalars(h, t):
        return {**RMSprop.scalars(h, t), "mu": h.momentum}

    @staticmethod
    def update(g, v, b, c):
        v = c.alpha * v + c.beta * (g * g)
        b = c.mu * b + g / (sqrt(v) + c.eps)
        return c.lr * b, v, b


class RMSpropCentered(RMSprop):
    """a = alpha a + (1 - alpha) g, u = lr g / (sqrt(v - a^2) + eps).

    The variance v - a^2 can round to less than zero; it is held at zero, where torch gives NaN.
    """

    slots = (V, A)

    @staticmethod
    def update(g, v, a, c):
        v = c.alpha * v + c.beta * (g * g)
        a = lerp(a, g, c.beta)
        return c.lr * g / (sqrt(maximum(v - a * a, 0.0)) + c.eps), v, a

    @staticmethod
    def first_moment(h, t):
        return FirstMoment(A.name, 1 - h.alpha**t)


class RMSpropCenteredMomentum(RMSpropMomentum):
    """v, a as in RMSpropCentered; b = mu b + g / (sqrt(v - a^2) + eps), u = lr b."""

    slots = (V, A, B)

    @staticmethod
    def update(g, v, a, b, c):
        v = c.alpha * v + c.beta * (g * g)
        a = lerp(a, g, c.beta)
        b = c.mu * b + g / (sqrt(maximum(v - a * a, 0.0)) + c.eps)
        return c.lr * b, v, a, b

    first_moment = RMSpropCentered.first_moment
