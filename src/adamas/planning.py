"""From parameter groups to a plan: checks every gradient, then makes what state is missing, then chooses engines."""

from __future__ import annotations

from typing import Any, cast

import torch

from adamas.engines.batch import Batch
from adamas.engines.captured import CapturablePlan, CapturedBatch, check_capturable
from adamas.engines.launch import Item, as_real
from adamas.engines.plan import Plan
from adamas.engines.select import batches, choose, choose_capturable
from adamas.engines.select import launches as together
from adamas.engines.states import State
from adamas.engines.triton import TritonLaunch
from adamas.formats import unused
from adamas.rounding import LOW, stream_key
from adamas.rules import Rule
from adamas.shards import Cut, CutOf, cut_of, is_sharded, local, piece_of
from adamas.slots import make_state, rounding_of, stored_slots
from adamas.sparse.gradients import check_sparse
from adamas.sparse.lag import Behind, Lag
from adamas.sparse.select import Lags, catch_up_copy, rows_launch

_Groups = list[dict[str, Any]]
_States = dict[torch.Tensor, dict[str, Any]]


def make_plan(
    groups: list[dict[str, Any]],
    rules: list[type[Rule]],
    states: _States,
    lags: Lags,
    how: CutOf = cut_of,
    capturable: bool = False,
) -> Plan:
    """Plan steps for all parameters that have a gradient.

    Args:
        groups: the optimizer's parameter groups.
        rules: the rule of each group.
        states: the optimizer's state; what is missing in it is made.
        lags: how far parameters with sparse gradients are behind.
        how: says how a parameter is cut.
        capturable: whether steps must not need the host.

    Raises:
        RuntimeError: if a gradient does not fit its parameter, before anything is changed.
        ValueError: if a ``state_format`` speaks of a slot or a parameter that is not there.
    """
    _check_state_formats(groups, rules)
    absent, todo = [], []
    grads: list[torch.Tensor] = []
    for number, group in enumerate(groups):
        for place, p in enumerate(group["params"]):
            if p.grad is None:
                absent.append(p)
                continue
            name = parameter_name(groups, number, place)
            check_gradient(name, p, p.grad)
            check_placement(name, p, p.grad, how(p))
            todo.append((number, place, p, name, p.grad))
    items: list[Item] = []
    sparse: list[tuple[Item, int]] = []
    before = state_keys(states)
    try:
        for number, place, p, name, grad in todo:
            key = stream_name(groups, number, place)
            item = make_item(p, name, number, groups[number], rules[number], states, key, how(p))
            if grad.layout == torch.strided:
                items.append(item)
                grads.append(grad if item.cut is None else item.cut.gradient(grad))
            else:
                sparse.append((item, grad.sparse_dim()))
        if capturable:
            check_capturable(items, [item for item, _ in sparse])
        pick = choose_capturable if capturable else choose
        engines = [pick(i, g, groups[i.group]["engine"]) for i, g in zip(items, grads, strict=True)]
        launches = [rows_launch(i, dims, groups[i.group], lags) for i, dims in sparse]
    except Exception:
        take_back(states, before)
        raise
    _keep_lags(lags, [*items, *(item for item, _ in sparse)], {x.item.owner: x.lag for x in launches})
    if capturable:
        own = [CapturedBatch(cast(TritonLaunch, x), members, g) for x, members, g in together(items, grads, engines)]
        return CapturablePlan(groups, rules, own, absent, states)
    rows = [(Batch(launch, launch.items), launch) for launch in launches]
    return Plan(groups, rules, batches(items, grads, engines), absent, states, rows)


def catch_up_copies(groups: _Groups, rules: list[type[Rule]], states: _States, behind: dict[Any, Behind]) -> None:
    """Catch up parameters that were copied while their rows lagged.

    They may have been copied before their optimizer was, which therefore could not have caught them up.

    Args:
        groups: the copied groups.
        rules: the rule of each group.
        states: the copied state.
        behind: what each parameter has to catch up with.
    """
    for number, group in enumerate(groups):
        for place, p in enumerate(group["params"]):
            if p in behind:
                name, key = parameter_name(groups, number, place), stream_name(groups, number, place)
                item = make_item(p, name, number, group, rules[number], states, key)
                catch_up_copy(item, group["engine"], behind[p])


def _keep_lags(lags: Lags, items: list[Item], now: dict[torch.Tensor, Lag | None]) -> None:
    """Catch up parameters that will no longer lag, and remember those that will."""
    for item in items:
        old, new = lags.get(item.owner), now.get(item.owner)
        if old is not new and old is not None:
            del lags[item.owner]
            if old.moves(item):  # else its state was replaced, and with it what it had to catch up
                old.flush()
        if new is not None:
            lags[item.owner] = new


def _check_state_formats(groups: list[dict[str, Any]], rules: list[type[Rule]]) -> None:
    """Raise ValueError for a key of a ``state_format`` that nothing would read."""
    names = [name for group in groups for name in group.get("param_names", [])]
    slots = [slot.name for rule in rules for slot in rule.slots]
    for group in groups:
        for key in unused(group["state_format"], names, slots):
            hint = "" if names else " (patterns need names: give the optimizer model.named_parameters())"
            raise ValueError(
                f"state_format has {key!r}, which is neither a slot ({', '.join(dict.fromkeys(slots))}) nor fits the "
                f"name of a parameter{hint}"
            )


def state_keys(states: _States) -> dict[torch.Tensor, set[str]]:
    """Return what there is of state, for `take_back`."""
    return {p: set(state) for p, state in states.items() if isinstance(state, dict)}


def take_back(states: _States, before: dict[torch.Tensor, set[str]]) -> None:
    """Remove from the state what was not there when `state_keys` looked."""
    for p in [p for p, state in states.items() if isinstance(state, dict)]:
        if p not in before:
            del states[p]
            continue
        for key in set(states[p]) - before[p]:
            del states[p][key]


def make_item(
    p: torch.Tensor,
    name: str,
    number: int,
    group: dict[str, Any],
    rule: type[Rule],
    states: _States,
    key: str,
    cut: Cut | None = None,
) -> Item:
    """Return what the engines need of one parameter, making what is missing of its state."""
    state = states[p]
    if type(state) is not State:
        state = states[p] = State(state)
    piece = piece_of(p, cut)
    fresh = make_state(piece, name, key if "param_names" in group else None, group, rule, state, cut)
    slots = stored_slots(piece, name, rule, state)
    rounding = rounding_of(piece, name, group, rule, state)
    if torch.is_grad_enabled() and (rounding.low is not None or any(slot.format.blockwise for slot in slots)):
        raise RuntimeError(
            f"the step of {name} is to be differentiable, and codes have no derivative: use state_format='auto' and "
            f"rounding='nearest' with differentiable=True"
        )
    return Item(
        owner=p,
        name=name,
        group=number,
        state=state,
        rule=rule,
        rounding=rounding,
        param=as_real(piece.detach()) if not torch.is_grad_enabled() else as_real(piece),
        low=local(state[LOW]) if rounding.low is not None else None,
        slots=slots,
        stream=stream_key(group["seed"], key),
        fresh=fresh,
        cut=cut,
    )


def parameter_key(group: dict[str, Any], place: int) -> str | None:
    """Return the name that patterns in ``state_format`` go by; None if the optimizer was given none."""
    names = group.get("param_names")
    return names[place] if names else None


def parameter_name(groups: list[dict[str, Any]], number: int, place: int) -> str:
    """Return what errors call a parameter: its name if the optimizer was given names, and where it is."""
    names = groups[number].get("param_names")
    where = f"group {number}"
    return f"parameter {names[place]!r} ({where})" if names else f"parameter {place} of {where}"


def check_parameter(name: str, p: torch.Tensor) -> None:
    """Raise TypeError for a parameter that no rule can move."""
    if not (p.is_floating_point() or p.is_complex()):
        raise TypeError(
            f"{name} is {p.dtype}: only floating-point and complex tensors can be optimized; leave it out, "
            f"e.g. [p for p in model.parameters() if p.is_floating_point()]"
        )
    if p.dtype.to_real() not in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        raise TypeError(f"{name} is {p.dtype}: supported are float32, float64, bfloat16, float16 and their complex kin")


def check_gradient(name: str, p: torch.Tensor, grad: torch.Tensor) -> None:
    """Raise RuntimeError for a gradient that does not fit its parameter."""
    for what, given, wanted in (
        ("dtype", grad.dtype, p.dtype),
        ("device", grad.device, p.device),
        ("shape", tuple(grad.shape), tuple(p.shape)),
    ):
        if given != wanted:
            raise RuntimeError(
                f"the gradient of {name} has {what} {given}, the parameter has {wanted}: convert the gradient, "
                f"or set it to None and run backward again"
            )
    if grad.layout != torch.strided:
        check_sparse(name, p, grad)


def check_placement(name: str, p: torch.Tensor, grad: torch.Tensor, cut: Cut | None) -> None:
    """Raise RuntimeError for a gradient that lies on other processes than its parameter, or is of no use in pieces."""
    if is_sharded(grad) != is_sharded(p) or (is_sharded(p) and grad.device_mesh != p.device_mesh):  # type: ignore[attr-defined]
        kinds = [f"a DTensor on {x.device_mesh}" if is_sharded(x) else "a plain tensor" for x in (grad, p)]  # type: ignore[attr-defined]
        raise RuntimeError(
            f"the gradient of {name} is {kinds[0]}, the parameter is {kinds[1]}: set it to None and run backward again"
        )
    if cut is not None and torch.is_grad_enabled():
        raise RuntimeError(f"{name} is cut over processes, and differentiable=True is for plain parameters")
    if cut is not None and grad.layout != torch.strided:
        raise RuntimeError(
            f"{name} is cut over processes and has a sparse gradient, which only whole parameters can have: use "
            f"sparse=False in its nn.Embedding"
        )


def stream_name(groups: list[dict[str, Any]], number: int, place: int) -> str:
    """Return what a parameter's random numbers depend on: its name, or its place among all parameters."""
    names = groups[number].get("param_names")
    return names[place] if names else f"#{sum(len(group['params']) for group in groups[:number]) + place}"
