"""Optimizers that only the papers' figures need: with a decaying step size, and Adam without bias correction.

Figures name them by import string, `adamas.lab.reproduce.optimizers:DecayedAdam`, as one would an optimizer of
one's own; each is a rule, and a class that gives it a signature.
"""

from math import sqrt
from types import SimpleNamespace

from torch.optim.optimizer import ParamsT

import adamas
from adamas.rules import Adagrad, Adam, Nesterov
from adamas.rules.rule import STEP


def _decayed(h: SimpleNamespace, t: float) -> SimpleNamespace:
    """The hyper-parameters at step t, with the learning rate of section 6.1 of the Adam paper: lr / sqrt(t)."""
    return SimpleNamespace(**{**vars(h), "lr": h.lr / sqrt(t)})


class _DecayedAdam(Adam):
    @staticmethod
    def scalars(h, t):
        return Adam.scalars(_decayed(h, t), t)


class _DecayedAdagrad(Adagrad):
    @staticmethod
    def scalars(h, t):
        return Adagrad.scalars(_decayed(h, t), t)


class _DecayedNesterov(Nesterov):
    counters = (*Nesterov.counters, STEP)

    @staticmethod
    def scalars(h, t, first):
        return Nesterov.scalars(_decayed(h, t), t, first)


class _UncorrectedAdam(Adam):
    """u = lr m / (sqrt(v) + eps)."""

    @staticmethod
    def scalars(h, t):
        return {**Adam.scalars(h, t), "step": h.lr, "unbias": 1.0}


class DecayedAdam(adamas.Optimizer):
    """Adam with the learning rate lr / sqrt(t) of its paper's experiments (Kingma and Ba 2015, section 6.1)."""

    def __init__(self, params: ParamsT, lr: float = 0.01, *, engine: str = "auto"):
        super().__init__(params, _DecayedAdam, engine=engine, lr=lr)


class DecayedAdagrad(adamas.Optimizer):
    """AdaGrad with the learning rate lr / sqrt(t), on top of its own decay."""

    def __init__(self, params: ParamsT, lr: float = 0.1, *, engine: str = "auto"):
        super().__init__(params, _DecayedAdagrad, engine=engine, lr=lr)


class DecayedNesterov(adamas.Optimizer):
    """SGD with Nesterov's momentum and the learning rate lr / sqrt(t)."""

    def __init__(self, params: ParamsT, lr: float = 0.1, momentum: float = 0.9, *, engine: str = "auto"):
        super().__init__(params, _DecayedNesterov, engine=engine, lr=lr, momentum=momentum)


class UncorrectedAdam(adamas.Optimizer):
    """Adam as it would be without bias correction (Kingma and Ba 2015, section 6.4).

    The moments start at zero and stay too small for about 1 / (1 - beta) steps. The second one lags longer, so
    the first step is too large, (1 - beta1) / sqrt(1 - beta2) times: 100 times with beta1 = 0 and beta2 = 0.9999.

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.zeros(1))
        >>> w.grad = torch.ones(1)
        >>> UncorrectedAdam([w], lr=0.01, betas=(0.0, 0.9999)).step()
        >>> round(w.item(), 4)
        -1.0
    """

    def __init__(
        self, params: ParamsT, lr: float = 0.001, betas: tuple[float, float] = (0.9, 0.999), *, engine: str = "auto"
    ):
        super().__init__(params, _UncorrectedAdam, engine=engine, lr=lr, betas=betas)
