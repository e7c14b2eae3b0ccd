"""The six kinds of hooks of an optimizer, and torch's global ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .measure import assert_same_bits, copies
from .pairs import every_engine, every_name, ours
from .training import gradients, step, train, weights


@every_engine
@every_name
def test_step_hooks_run_around_the_step(name: str, engine: str):
    params = weights()
    optimizer = ours(name, params, engine)
    seen: list[tuple[str, Any]] = []
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: seen.append(("pre", copies(params))))
    optimizer.register_step_post_hook(lambda opt, args, kwargs: seen.append(("post", copies(params))))
    before = copies(params)
    step(optimizer, params, gradients(params, steps=1)[0])
    assert [kind for kind, _ in seen] == ["pre", "post"]
    assert_same_bits(seen[0][1], before)
    assert_same_bits(seen[1][1], copies(params))
    assert not torch.equal(before[0], params[0])


@every_engine
def test_step_hooks_get_the_optimizer_and_the_arguments(engine: str):
    params = weights()
    optimizer = ours("Adam", params, engine)
    seen: list[Any] = []
    optimizer.register_step_pre_hook(lambda *given: seen.append(given))
    optimizer.register_step_post_hook(lambda *given: seen.append(given))

    def closure() -> float:
        return 1.0

    optimizer.step(closure)
    optimizer.step(closure=closure)
    assert seen == 2 * [(optimizer, (optimizer, closure), {})] + 2 * [(optimizer, (optimizer,), {"closure": closure})]


def test_a_step_pre_hook_can_replace_the_closure():
    params = weights()
    optimizer = ours("AdamW", params)
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: ((opt, lambda: 2.0), {}))
    assert optimizer.step(lambda: 1.0) == 2.0


def test_a_step_pre_hook_may_return_nothing_else():
    params = weights()
    optimizer = ours("AdamW", params)
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: 3)  # type: ignore[arg-type, return-value]
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        optimizer.step()


@every_engine
def test_a_step_pre_hook_may_change_gradients(engine: str):
    """Clipping in a hook: the step takes the gradients that the hook left."""
    params, clipped = weights(), weights()
    optimizer, expected = ours("SGD", params, engine), ours("SGD", clipped, engine)
    optimizer.register_step_pre_hook(lambda *_: torch.nn.utils.clip_grad_value_(params, 0.125) and None)
    for gs in gradients(params, steps=3):
        step(optimizer, params, gs)
        step(expected, clipped, [g.clamp(-0.125, 0.125) for g in gs])
    assert_same_bits(copies(params), copies(clipped))


@every_name
def test_global_step_hooks(name: str):
    params = weights()
    optimizer = ours(name, params)
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("own pre"))
    optimizer.register_step_post_hook(lambda *_: seen.append("own post"))
    handles = [
        register_optimizer_step_pre_hook(lambda *_: seen.append("global pre")),
        register_optimizer_step_post_hook(lambda *_: seen.append("global post")),
    ]
    try:
        optimizer.step()
    finally:
        for handle in handles:
            handle.remove()
    optimizer.step()
    assert seen == ["global pre", "own pre", "own post", "global post", "own pre", "own post"]


@every_name
def test_state_dict_hooks(name: str):
    params = weights()
    optimizer = ours(name, params)
    seen: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda opt: seen.append("pre"))
    optimizer.register_state_dict_post_hook(lambda opt, state_dict: {**state_dict, "note": "kept"})
    optimizer.register_state_dict_pre_hook(lambda opt: seen.append("earlier"), prepend=True)
    state_dict = optimizer.state_dict()
    assert seen == ["earlier", "pre"]
    assert state_dict["note"] == "kept"


@every_name
def test_load_state_dict_hooks(name: str):
    params = weights()
    optimizer = ours(name, params)
    train(optimizer, params, gradients(params, steps=2))
    saved = optimizer.state_dict()
    fresh = ours(name, params)
    seen: list[Any] = []

    def halve_lr(opt: torch.optim.Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
        seen.append(("pre", opt is fresh))
        groups = [{**group, "lr": 0.5 * group["lr"]} for group in state_dict["param_groups"]]
        return {**state_dict, "param_groups": groups}

    fresh.register_load_state_dict_pre_hook(halve_lr)
    fresh.register_load_state_dict_post_hook(lambda opt: seen.append(("post", opt.param_groups[0]["lr"])))
    fresh.load_state_dict(saved)
    halved = 0.5 * saved["param_groups"][0]["lr"]
    assert seen == [("pre", True), ("post", halved)]
    assert fresh.param_groups[0]["lr"] == halved
    assert_same_bits(fresh.state_dict()["state"], saved["state"])


REGISTER: list[Callable[[torch.optim.Optimizer, Callable[..., None]], Any]] = [
    lambda opt, hook: opt.register_step_pre_hook(hook),
    lambda opt, hook: opt.register_step_post_hook(hook),
    lambda opt, hook: opt.register_state_dict_pre_hook(hook),
    lambda opt, hook: opt.register_state_dict_post_hook(hook),
    lambda opt, hook: opt.register_load_state_dict_pre_hook(hook),
    lambda opt, hook: opt.register_load_state_dict_post_hook(hook),
]


@pytest.mark.parametrize(
    "register", REGISTER, ids=["step_pre", "step_post", "save_pre", "save_post", "load_pre", "load_post"]
)
def test_a_removed_hook_is_silent(register: Callable[..., Any]):
    params = weights()
    optimizer = ours("Adam", params)
    seen: list[int] = []
    handle = register(optimizer, lambda *_: seen.append(1))

    def everything() -> None:
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())

    everything()
    handle.remove()
    everything()
    assert seen == [1]


@every_engine
def test_a_profiler_sees_the_step_and_its_absence_costs_nothing(engine: str):
    params = weights()
    optimizer = ours("AdamW", params, engine)
    step(optimizer, params, gradients(params, steps=1)[0])
    with torch.autograd.profiler.profile() as profile:
        optimizer.step()
    events = getattr(profile, "function_events")  # noqa: B009 - its type says None
    assert [event.name for event in events if event.name.startswith("Optimizer")] == ["Optimizer.step#AdamW.step"]
    assert type(optimizer).step.hooked  # type: ignore[attr-defined]  # torch would wrap it once more
