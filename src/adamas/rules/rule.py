"""What a rule is: the step of one optimizer, elementwise, free of dtype, device, decay, layout and clipping."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from adamas.rules.language import Value


class Slot(NamedTuple):
    """A moment that a rule keeps for every element of a parameter.

    Attributes:
        name: its key in ``optimizer.state[p]`` (torch's name where torch has one).
        signed: False when it never goes below zero: a format may then spend the sign bit.
        start: its first value: a number, or the name of a hyper-parameter that holds it.
        late: whether it may begin in the middle of a training, when a hyper-parameter first asks for it.
    """

    name: str
    signed: bool = True
    start: float | str = 0.0
    late: bool = False


class Counter(NamedTuple):
    """A number that a rule keeps for every parameter, on the host: ``step``, or NAdam's ``mu_product``.

    Attributes:
        name: its key in ``optimizer.state[p]``, a 0-dim tensor on the CPU.
        start: its value before the first step.
        stored: False for ``first``, which is not in the state: it is 1 in the step that made the state, then 0.
    """

    name: str
    start: float = 0.0
    stored: bool = True


class SecondMoment(NamedTuple):
    """A rule's running mean of squared gradients: v <- decay v + (1 - decay) g^2, and unbias v is what it estimates.

    Attributes:
        slot: the name of the slot that holds v.
        decay: how much of v is kept in a step.
        unbias: 1 over the share of v that is not its start at zero.
    """

    slot: str
    decay: float
    unbias: float


class FirstMoment(NamedTuple):
    """A rule's running mean of gradients.

    Attributes:
        slot: the name of the slot that holds it.
        whole: the sum of the weights with which gradients are in it: slot / whole is what it estimates.
    """

    slot: str
    whole: float


class Part(NamedTuple):
    """One of the parts in which the gradient of one step comes.

    Attributes:
        number: which it is, from 1.
        of: how many there are.
    """

    number: int
    of: int


STEP = Counter("step")


class Rule:
    """An update rule, written once for every engine.

    Subclass it, never instantiate it. ``scalars`` runs on the host in float64, once per group and step;
    ``update`` runs per element in float32 (float64 for float64 parameters) on whatever engine has the tensor.
    The engine then writes ``p <- (1 - lr wd) p - u`` (decoupled decay) or has added ``wd p`` to ``g`` before
    (coupled, L2), whichever is asked for, and applies ``maximize`` and gradient unscaling the same way for every rule.

    Attributes:
        defaults: hyper-parameters and their default values; ``lr`` is always one of them.
        slots: the moments, in the order in which ``update`` takes and returns them.
        counters: per-parameter numbers; ``step`` is passed to ``scalars`` as ``t``, after it was incremented.
        decoupled_weight_decay: how ``weight_decay`` acts when the group does not say.
        cautious: whether elements of a step are left out for which the others are to make up.

    Example:
        A rule of your own runs on the reference engine at once:

        >>> import torch, adamas
        >>> class SignSGD(adamas.Rule):
        ...     '''Step by the sign of the gradient (Bernstein et al. 2018, arXiv 1802.04434).'''
        ...     defaults = {"lr": 0.1}
        ...     def scalars(h, t):
        ...         return {"lr": h.lr}
        ...     def update(g, c):
        ...         return c.lr * adamas.rules.sign(g)
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -1.0]))
        >>> optimizer = adamas.Optimizer([w], SignSGD, lr=0.5)
        >>> w.grad = torch.tensor([3.0, -0.2])
        >>> optimizer.step()
        >>> w.tolist()
        [0.5, -0.5]
    """

    defaults: ClassVar[Mapping[str, Any]] = {"lr": 1e-3}
    slots: ClassVar[tuple[Slot, ...]] = ()
    counters: ClassVar[tuple[Counter, ...]] = (STEP,)
    decoupled_weight_decay: ClassVar[bool] = False
    cautious: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Written without decorators in rule files, because there they would be the only noise.
        for name in ("scalars", "update", "advance", "first_moment", "second_moment", "fold"):
            if name in cls.__dict__ and not isinstance(cls.__dict__[name], staticmethod):
                setattr(cls, name, staticmethod(cls.__dict__[name]))

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Refuse instances: a rule has no state of its own."""
        raise TypeError(f"{cls.__name__} is a rule, pass the class itself: adamas.Optimizer(params, {cls.__name__})")

    @staticmethod
    def scalars(h: SimpleNamespace, t: float, **counters: float) -> dict[str, float]:
        """Return every number of the step that depends on hyper-parameters and counters only, in float64."""
        raise NotImplementedError

    @staticmethod
    def update(g: Value, *slots_and_scalars: Value) -> Value:
        """Return the step ``u`` (to be subtracted; a tuple: one after the other) and the new slots, elementwise."""
        raise NotImplementedError

    @staticmethod
    def advance(h: SimpleNamespace, t: float, **counters: Value) -> dict[str, Value]:
        """Return the counters besides ``step`` as they are at step ``t``, before ``scalars`` sees them.

        They come and go as 0-dim tensors of the dtype they are stored in, so that they round as they will be stored.
        """
        return counters

    @staticmethod
    def first_moment(h: SimpleNamespace, t: float) -> FirstMoment | None:
        """Return which slot is the mean of gradients after step ``t``; None if the rule keeps none.

        Only the doctor asks for it.
        """
        return None

    @staticmethod
    def second_moment(h: SimpleNamespace, t: float) -> SecondMoment | None:
        """Return how the mean of squared gradients goes on at step ``t``; None if the rule keeps none.

        Clipping by the size of updates and the doctor ask for it.
        """
        return None

    @staticmethod
    def fold(scalars: dict[str, float], part: Part) -> tuple[float, dict[str, float]]:
        """Return a factor for the gradient and the scalars with which ``update`` takes one part of a step's gradient.

        After the last part the first moment is what the sum of the parts would have made of it, the second moment
        holds the sum of their squares, and the weight has moved once. A rule that cannot do that has no ``fold``.
        """
        raise NotImplementedError
