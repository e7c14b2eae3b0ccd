"""Stochastic gradient descent: plain, with momentum, with Nesterov's momentum.

g  gradient                lr  step size
b  momentum buffer         mu  momentum, memory about 1 / (1 - mu) steps
"""

from math import inf

from adamas.rules.rule import Counter, FirstMoment, Rule, Slot

# torch keeps no step for SGD, only the buffer; its first value is the first gradient, without dampening.
FIRST = Counter("first", stored=False)


class SGD(Rule):
    """u = lr g (Robbins & Monro 1951)."""

    defaults = {"lr": 1e-3}
    counters = ()

    @staticmethod
    def scalars(h, t):
        return {"lr": h.lr}

    @staticmethod
    def update(g, c):
        return c.lr * g


class Momentum(Rule):
    """b = mu b + (1 - dampening) g, u = lr b (Polyak 1964, as in Sutskever et al. 2013)."""

    defaults = {"lr": 1e-3, "momentum": 0.9, "dampening": 0.0}
    slots = (Slot("momentum_buffer", late=True),)
    counters = (FIRST,)

    @staticmethod
    def scalars(h, t, first):
        return {"lr": h.lr, "mu": h.momentum, "take": 1.0 if first else 1.0 - h.dampening}

    @staticmethod
    def update(g, b, c):
        b = c.mu * b + c.take * g
        return c.lr * b, b

    @staticmethod
    def first_moment(h, t):
        # torch counts no steps here: this is what the weights come to after the first few 1 / (1 - mu).
        whole = (1 - h.dampening) / (1 - h.momentum) if h.momentum < 1 else inf
        return FirstMoment("momentum_buffer", whole)


class Nesterov(Momentum):
    """b = mu b + g, u = lr (g + mu b) (Nesterov 1983, in the form of Sutskever et al. 2013)."""

    @staticmethod
    def update(g, b, c):
        b = c.mu * b + c.take * g
        return c.lr * (g + c.mu * b), b
