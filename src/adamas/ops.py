"""The step as an operator of torch, ``torch.ops.adamas.step``: for graphs, where an optimizer has no place.

``torch.compile`` calls an optimizer's own ``step()`` as it is, between graphs. A function that computes gradients and
steps in one graph (``fullgraph=True``, ``torch.func``) calls the operator with the tensors of the state instead.
Importing this module registers it.

    >>> import torch, adamas.ops
    >>> w, m, v = torch.ones(2), torch.zeros(2), torch.zeros(2)
    >>> g = torch.tensor([1.0, -1.0])
    >>> numbers = adamas.ops.numbers_of("Adam", 1, lr=0.1)
    >>> torch.ops.adamas.step([w], [g], [m, v], [], [], numbers, "Adam")
    >>> [round(x, 6) for x in w.tolist()]
    [0.9, 1.1]
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import torch

from adamas.engines.hyper import hyperparameters, surround
from adamas.engines.launch import Item, as_real
from adamas.engines.rows import Rows
from adamas.engines.select import choose, launches
from adamas.formats import Stored, format_of
from adamas.planning import check_gradient, check_parameter
from adamas.rounding import ROUNDINGS, Rounding
from adamas.rules import COMPILED, Rule
from adamas.rules.rule import STEP

_RULES = {rule.__name__: rule for rule in COMPILED if set(rule.counters) <= {STEP} and not rule.cautious}


def numbers_of(rule: str, step: int, **hyper: Any) -> torch.Tensor:
    """Return the numbers of a step that ``torch.ops.adamas.step`` takes: a float64 tensor on the CPU.

    They are an input of the graph: when lr changes, nothing is compiled again.

    Args:
        rule: the name of a compiled rule that counts steps and nothing else, "Adam" for example.
        step: the step to be taken, from 1.
        **hyper: hyper-parameters that are not the rule's defaults, and those that engines add: ``weight_decay``,
            ``decoupled_weight_decay``, ``maximize``.

    Raises:
        ValueError: for an unknown rule.
        TypeError: for an unknown hyper-parameter.
    """
    found = _rule(rule)
    known = {**found.defaults, "weight_decay": 0.0, "maximize": False}
    known["decoupled_weight_decay"] = found.decoupled_weight_decay
    for key in hyper:
        if key not in known:
            raise TypeError(f"{rule} has no {key!r}; it has {', '.join(known)}")
    rows = Rows(found, {}, 1.0)
    rows.place(surround(hyperparameters({**known, **hyper}), found), (float(step),))
    return torch.tensor(rows.numbers.tolist(), dtype=torch.float64)


@torch.library.custom_op("adamas::step", mutates_args=("weights", "slots", "scales", "low"))
def step(
    weights: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    slots: Sequence[torch.Tensor],
    scales: Sequence[torch.Tensor],
    low: Sequence[torch.Tensor],
    numbers: torch.Tensor,
    rule: str,
    rounding: str = "nearest",
    streams: Sequence[int] | None = None,
    at: int = 1,
) -> None:
    """Step some tensors by one rule with the same numbers, by the engine that ``auto`` chooses.

    Args:
        weights: they are changed, and so are slots, scales and low.
        gradients: one a weight, of its dtype and shape.
        slots: codes of the first weight's slots in the rule's order, then of the second's, and so on.
        scales: of slots in blocks, likewise; empty if no slot is.
        low: bits below the weights, if they are split.
        numbers: what `numbers_of` returned.
        rule: the name of a compiled rule.
        rounding: ``nearest``, ``stochastic``, ``split24`` or ``split32``.
        streams: keys of the weights' random numbers (`adamas.rounding.stream_key`, as int64), where numbers are random.
        at: the step that is taken, which random numbers depend on.

    Raises:
        ValueError: if the lists do not fit each other; nothing was changed then.
    """
    items = _items(weights, gradients, slots, scales, low, _rule(rule), _rounding(rounding), streams or ())
    row = Rows.given(_rule(rule), numbers.tolist())
    with torch.no_grad():
        engines = [choose(item, grad, "auto") for item, grad in zip(items, gradients, strict=True)]
        for launch, members, grads in launches(items, gradients, engines):
            launch.run(grads, row, array("i", [0]) * len(members), array("d", [float(at)]) * len(members))


@step.register_fake
def _(*_: Any) -> None:
    """Say that nothing is returned: what it does, it does to its arguments."""


def _rule(name: str) -> type[Rule]:
    if name not in _RULES:
        raise ValueError(f"no rule {name!r} for torch.ops.adamas.step: there are {', '.join(_RULES)}")
    return _RULES[name]


def _rounding(name: str) -> Rounding:
    if name not in ROUNDINGS:
        raise ValueError(f"unknown rounding {name!r}: there are {', '.join(ROUNDINGS)}")
    return ROUNDINGS[name]


def _items(
    weights: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    slots: Sequence[torch.Tensor],
    scales: Sequence[torch.Tensor],
    low: Sequence[torch.Tensor],
    rule: type[Rule],
    rounding: Rounding,
    streams: Sequence[int],
) -> list[Item]:
    """Return the weights as engines have them."""
    count = len(rule.slots)
    for what, given, wanted in (
        ("gradients", gradients, {len(weights)}),
        ("slots", slots, {count * len(weights)}),
        ("scales", scales, {0, count * len(weights)}),
        ("low", low, {len(weights) if rounding.low else 0}),
        ("streams", streams, {len(weights)} if rounding.name != "nearest" else {0, len(weights)}),
    ):
        if len(given) not in wanted:
            raise ValueError(f"{len(weights)} weights and {rule.__name__} need {wanted} {what}, got {len(given)}")
    items = []
    for place, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        check_parameter(f"weights[{place}]", weight)
        check_gradient(f"weights[{place}]", weight, gradient)
        own = range(count * place, count * (place + 1))
        stored = [
            _stored(weight, rule, number - own.start, slots[number], scales[number : number + 1]) for number in own
        ]
        items.append(
            Item(
                owner=weight, name=f"weights[{place}]", group=0, state={}, rule=rule, rounding=rounding,
                param=as_real(weight.detach()), low=low[place] if low else None, slots=tuple(stored),
                stream=streams[place] % (1 << 64) if streams else 0, fresh=False,
            )
        )  # fmt: skip
    return items


def _stored(
    weight: torch.Tensor, rule: type[Rule], place: int, codes: torch.Tensor, scale: Sequence[torch.Tensor]
) -> Stored:
    slot, form = rule.slots[place], format_of(codes)
    if form is None:
        raise ValueError(f"{slot.name} is {codes.dtype}, which is no format of a moment")
    own = scale[0] if form.blockwise and scale else None
    wrong = form.misfit(weight, codes, own)
    if wrong is not None:
        raise ValueError(f"{slot.name} {wrong}")
    return Stored(form, codes if form.blockwise else as_real(codes), own, slot.signed, as_real(weight).shape)
