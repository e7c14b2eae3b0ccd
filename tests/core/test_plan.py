"""The plan: few launches, kept while nothing changes, rebuilt when anything it depends on does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import adamas
from adamas.engines import cpu, looks, plan
from adamas.engines.states import State


def parameters(count: int, dtype: torch.dtype = torch.float32) -> list[torch.nn.Parameter]:
    made = [torch.nn.Parameter(torch.randn(3, 4).to(dtype)) for _ in range(count)]
    for p in made:
        p.grad = torch.randn(3, 4).to(dtype)
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tensors of every call of the library."""
    made: list[int] = []
    run = cpu.CpuLaunch.run

    def counted(self: cpu.CpuLaunch, *arguments: Any) -> None:
        made.append(len(self.items))
        run(self, *arguments)

    monkeypatch.setattr(cpu.CpuLaunch, "run", counted)
    return made


def test_one_call_for_all_groups(calls: list[int]) -> None:
    ps = parameters(20)
    optimizer = adamas.AdamW([{"params": [p], "lr": 1e-3 * (i + 1)} for i, p in enumerate(ps)], engine="cpu")
    optimizer.step()
    assert calls == [20]


def test_a_call_for_each_program(calls: list[int]) -> None:
    ps = parameters(2) + parameters(3, torch.bfloat16)
    optimizer = adamas.Adam([{"params": ps[:1], "amsgrad": True}, {"params": ps[1:]}], engine="cpu")
    optimizer.step()
    assert sorted(calls) == [1, 1, 3]


def test_groups_change_nothing() -> None:
    torch.manual_seed(0)
    starts = [torch.randn(3, 4) for _ in range(6)]
    one, many = ([torch.nn.Parameter(s.clone()) for s in starts] for _ in range(2))
    optimizers = [adamas.AdamW(one), adamas.AdamW([{"params": [p]} for p in many])]
    for _ in range(5):
        for a, b in zip(one, many, strict=True):
            a.grad = torch.randn(3, 4)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(one, many, strict=True))


def test_plan_is_kept_with_fresh_gradients_and_new_numbers() -> None:
    ps = parameters(3)
    optimizer = adamas.AdamW(ps)
    optimizer.step()
    kept = optimizer._plan
    for lr in (1e-3, 5e-4):
        for p in ps:
            p.grad = torch.randn(3, 4)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.param_groups[0]["betas"] = (0.8, 0.99)
        optimizer.step()
    assert optimizer._plan is kept


def _replace_parameter(optimizer: adamas.Optimizer) -> None:
    old = optimizer.param_groups[0]["params"][0]
    new = torch.nn.Parameter(old.detach().clone())
    new.grad = torch.ones_like(new)
    optimizer.param_groups[0]["params"][0] = new
    optimizer.state[new] = optimizer.state.pop(old)


def _set(key: str, value: Any) -> Callable[[adamas.Optimizer], None]:
    return lambda optimizer: optimizer.param_groups[0].__setitem__(key, value)


def _on_first(change: Callable[[torch.Tensor], None]) -> Callable[[adamas.Optimizer], None]:
    return lambda optimizer: change(optimizer.param_groups[0]["params"][0])


def _swap_data(p: torch.Tensor) -> None:
    p.data = p.data.clone()


def _no_grad(p: torch.Tensor) -> None:
    p.grad = None


def _transposed_grad(p: torch.Tensor) -> None:
    p.grad = torch.ones(4, 3).t()


def _negated_grad(p: torch.Tensor) -> None:
    p.grad = torch._neg_view(torch.ones(3, 4))


CHANGES: dict[str, Callable[[adamas.Optimizer], None]] = {
    "parameter replaced": _replace_parameter,
    "data replaced": _on_first(_swap_data),
    "gradient gone": _on_first(_no_grad),
    "gradient strided": _on_first(_transposed_grad),
    "gradient lazily negated": _on_first(_negated_grad),
    "state tensor replaced": lambda o: o.state[o.param_groups[0]["params"][0]].update(exp_avg=torch.ones(3, 4)),
    "state dict replaced": lambda o: o.state.__setitem__(o.param_groups[0]["params"][0], {}),
    "state cleared": lambda o: o.state.clear(),
    "step replaced": lambda o: o.state[o.param_groups[0]["params"][0]].update(step=torch.tensor(7.0)),
    "rule": _set("amsgrad", True),
    "engine": _set("engine", "reference"),
    "rounding": _set("rounding", "stochastic"),
    "group added": lambda o: o.add_param_group({"params": parameters(1)}),
    "parameter appended": lambda o: o.param_groups[0]["params"].extend(parameters(1)),
}


@pytest.mark.parametrize("guarded", [True, False], ids=["guard", "properties"])
@pytest.mark.parametrize("change", CHANGES)
def test_plan_is_rebuilt_and_right(change: str, guarded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the change the optimizer goes on as one that plans anew at every step."""
    if not guarded:
        monkeypatch.setattr(looks, "_guard", lambda *_: None)
    outcomes = []
    for forget in (False, True):
        torch.manual_seed(0)
        optimizer = adamas.Adam(parameters(3))
        optimizer.step()
        before = optimizer._plan
        CHANGES[change](optimizer)
        if forget:
            optimizer._plan = None
        optimizer.step()
        assert optimizer._plan is not before
        outcomes.append([p.detach() for group in optimizer.param_groups for p in group["params"]])
    assert all(torch.equal(a, b) for a, b in zip(*outcomes, strict=True))


def test_gradient_that_comes_back() -> None:
    ps = parameters(2)
    optimizer = adamas.AdamW(ps)
    ps[1].grad = None
    optimizer.step()
    ps[1].grad = torch.ones(3, 4)
    optimizer.step()
    assert [optimizer.state[p]["step"].item() for p in ps] == [2.0, 1.0]


def test_duplicate_parameter_steps_twice_as_in_torch() -> None:
    torch.manual_seed(0)
    starts = torch.randn(50)
    results = []
    for module in (torch.optim, adamas):
        p = torch.nn.Parameter(starts.clone())
        with pytest.warns(UserWarning, match="duplicate parameters"):
            optimizer = module.SGD([p, p], lr=0.5)
        p.grad = torch.ones(50)
        optimizer.step()
        results.append(p.detach())
    assert torch.equal(*results)


def test_a_state_that_is_set_to_itself_keeps_the_plan() -> None:
    ps = parameters(2)
    optimizer = adamas.AdamW(ps)
    optimizer.step()
    kept = optimizer._plan
    optimizer.state[ps[0]]["exp_avg"] = optimizer.state[ps[0]]["exp_avg"]
    optimizer.step()
    assert optimizer._plan is kept


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.__setitem__("a", 1),
        lambda s: s.__delitem__("b"),
        lambda s: s.__ior__({"a": 1}),
        lambda s: s.clear(),
        lambda s: s.pop("b"),
        lambda s: s.popitem(),
        lambda s: s.setdefault("a", 1),
        lambda s: s.update(a=1),
    ],
)
def test_a_state_counts_every_change(change: Callable[[State], None]) -> None:
    state, same = State(b=2), {"b": 2}
    before = State.changes
    change(state)
    change(same)  # type: ignore[arg-type]
    assert State.changes == before + 1
    assert state == same


def test_a_checkpoint_has_plain_dicts() -> None:
    optimizer = adamas.AdamW(parameters(1))
    optimizer.step()
    assert {type(state) for state in optimizer.state.values()} == {State}
    assert {type(state) for state in optimizer.state_dict()["state"].values()} == {dict}


def test_steady_state_does_not_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = adamas.AdamW([{"params": [p]} for p in parameters(5)])
    optimizer.step()

    def refuse(*arguments: object) -> None:
        raise AssertionError("planned again")

    monkeypatch.setattr(plan.Plan, "__init__", refuse)
    optimizer.step()


def test_versions_of_weights_are_bumped() -> None:
    ps = parameters(2)
    optimizer = adamas.AdamW(ps, engine="cpu")
    for _ in range(2):
        before = [p._version for p in ps]
        optimizer.step()
        assert all(p._version > version for p, version in zip(ps, before, strict=True))


def test_autograd_notices_the_step() -> None:
    p = parameters(1)[0]
    optimizer = adamas.SGD([p], lr=0.1, engine="cpu")
    loss = (p * p).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
