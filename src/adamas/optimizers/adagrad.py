"""AdaGrad."""

from __future__ import annotations

from typing import Any

from torch.optim.optimizer import ParamsT

from adamas import rules
from adamas.optimizer import Optimizer
from adamas.optimizers.arguments import Number, collect
from adamas.planning import parameter_key, parameter_name
from adamas.rules import Rule
from adamas.shards import piece_of
from adamas.slots import make_state


class Adagrad(Optimizer):
    """AdaGrad: steps shrink with the sum of squared gradients of each coordinate.

    Update, with g the gradient (plus weight_decay p):

        s = s + g^2
        p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Differs from torch: 16-bit sums are rounded stochastically (a 16-bit sum rounded to nearest stops growing); with
    a sparse gradient, decay acts on the rows that it touches (torch refuses).

    Args:
        params: tensors, (name, tensor) pairs, or groups of either.
        lr: step size in parameter units, >= 0; a float or a 1-element tensor.
        lr_decay: >= 0; the step size falls as 1 / (1 + (t - 1) lr_decay).
        weight_decay: L2 coefficient, >= 0.
        initial_accumulator_value: first value of s, >= 0, in squared gradient units.
        eps: added to the root of s, >= 0; in gradient units.
        foreach: a hint of torch's that changes nothing.
        maximize: ascend.
        differentiable: let autograd record the step (reference engine).
        fused: a hint of torch's that changes nothing.
        decay_mode: see `Optimizer`.
        engine: see `Optimizer`.
        state_format: see `Optimizer`.
        rounding: see `Optimizer`.
        seed: see `Optimizer`.
        nonfinite: see `Optimizer`.
        max_skips: see `Optimizer`.
        clip_norm: see `Optimizer`.
        clip_update: see `Optimizer`.

    State:
        ``step``, ``sum``; made at construction, as in torch.

    Raises:
        ValueError: for a hyper-parameter out of its range.

    References:
        Duchi, Hazan & Singer 2011, JMLR 12, section 1.1.

    Example:
        >>> import torch, adamas
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = adamas.Adagrad([w], lr=0.1)
        >>> w.grad = torch.tensor([2.0]); optimizer.step(); round(w.item(), 6)
        0.9
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Number = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decay_mode: str = "auto",
        engine: str = "auto",
        state_format: str = "auto",
        rounding: str = "auto",
        seed: int = 0,
        nonfinite: str = "propagate",
        max_skips: int | None = None,
        clip_norm: float | None = None,
        clip_update: float | None = None,
    ) -> None:
        self._start(params, collect(locals()))
        for number, group in enumerate(self.param_groups):
            for place, p in enumerate(group["params"]):
                name = parameter_name(self.param_groups, number, place)
                cut = self._how(p)
                piece, rule = piece_of(p, cut), self.rule(group)
                make_state(piece, name, parameter_key(group, place), group, rule, self.state[p], cut)

    def rule(self, group: dict[str, Any]) -> type[Rule]:
        """Return AdaGrad."""
        return rules.Adagrad

    def share_memory(self) -> None:
        """Move the sums into shared memory, for training in several processes (Hogwild)."""
        for state in self.state.values():
            state["sum"].share_memory_()
