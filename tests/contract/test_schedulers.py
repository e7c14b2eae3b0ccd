"""torch's learning-rate schedulers drive these optimizers as they drive torch's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as schedulers

from .following import assert_follows, watched
from .pairs import TORCH_NAMES, every_engine, every_name, ours, theirs
from .training import gradients, step, weights

STEPS = 24

Scheduler = Callable[[torch.optim.Optimizer], Any]


def _warmup_then_cosine(optimizer: torch.optim.Optimizer) -> schedulers.SequentialLR:
    parts = [
        schedulers.LinearLR(optimizer, 0.1, total_iters=5),
        schedulers.CosineAnnealingLR(optimizer, T_max=20),
    ]
    return schedulers.SequentialLR(optimizer, parts, milestones=[5])


def _chained(optimizer: torch.optim.Optimizer) -> schedulers.ChainedScheduler:
    parts = [
        schedulers.ConstantLR(optimizer, 0.5, total_iters=4),
        schedulers.ExponentialLR(optimizer, gamma=0.9),
    ]
    return schedulers.ChainedScheduler(parts)


SCHEDULERS: dict[str, Scheduler] = {
    "LambdaLR": lambda opt: schedulers.LambdaLR(opt, lambda epoch: 1 / (1 + epoch)),
    "MultiplicativeLR": lambda opt: schedulers.MultiplicativeLR(opt, lambda epoch: 0.95),
    "StepLR": lambda opt: schedulers.StepLR(opt, step_size=7),
    "MultiStepLR": lambda opt: schedulers.MultiStepLR(opt, milestones=[3, 11]),
    "ConstantLR": lambda opt: schedulers.ConstantLR(opt, total_iters=6),
    "LinearLR": lambda opt: schedulers.LinearLR(opt),
    "ExponentialLR": lambda opt: schedulers.ExponentialLR(opt, gamma=0.8),
    "CosineAnnealingLR": lambda opt: schedulers.CosineAnnealingLR(opt, T_max=10),
    "CosineAnnealingWarmRestarts": lambda opt: schedulers.CosineAnnealingWarmRestarts(opt, T_0=5, T_mult=2),
    "PolynomialLR": lambda opt: schedulers.PolynomialLR(opt, total_iters=15, power=2),
    "SequentialLR": _warmup_then_cosine,
    "ChainedScheduler": _chained,
    "ReduceLROnPlateau": lambda opt: schedulers.ReduceLROnPlateau(opt, patience=2),
    "OneCycleLR": lambda opt: schedulers.OneCycleLR(opt, max_lr=0.1, total_steps=STEPS + 1),
    "CyclicLR": lambda opt: schedulers.CyclicLR(opt, base_lr=0.01, max_lr=0.1, step_size_up=5),
}

# These two cycle the momentum against the learning rate: they need `betas` or `momentum` in the optimizer.
CYCLES_MOMENTUM = ("OneCycleLR", "CyclicLR")
MOMENTUM: dict[str, dict[str, Any]] = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9}}

PAIRS = [
    (name, scheduler)
    for scheduler in SCHEDULERS
    for name in TORCH_NAMES
    if not (scheduler in CYCLES_MOMENTUM and name == "Adagrad")
]


class Recorded:
    """An optimizer and its scheduler as one: a step is a step of both, and the hyper-parameters are noted."""

    def __init__(self, optimizer: torch.optim.Optimizer, scheduler: Scheduler) -> None:
        self.optimizer = optimizer
        self.scheduler = scheduler(optimizer)
        self.state, self.param_groups = optimizer.state, optimizer.param_groups
        self.log: list[dict[str, Any]] = []

    def step(self) -> None:
        self.optimizer.step()
        if isinstance(self.scheduler, schedulers.ReduceLROnPlateau):
            self.scheduler.step(1.0)  # a loss that never improves
        else:
            self.scheduler.step()
        group = self.optimizer.param_groups[0]
        self.log.append({key: group.get(key) for key in ("lr", "momentum", "betas", "initial_lr")})


@every_engine
@pytest.mark.parametrize(("name", "scheduler"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_same_learning_rates_and_weights_as_torch(name: str, scheduler: str, engine: str):
    mine, other = weights(), weights()
    hyper = MOMENTUM.get(name, {}) if scheduler in CYCLES_MOMENTUM else {}
    lr = 0.01
    recorded = Recorded(ours(name, mine, engine, lr=lr, **hyper), SCHEDULERS[scheduler])
    expected = Recorded(theirs(name, other, lr=lr, **hyper), SCHEDULERS[scheduler])
    grads = gradients(mine, steps=STEPS)
    for gs in grads:
        step(recorded, mine, gs)  # type: ignore[arg-type]
    run = watched(expected, other, grads)  # type: ignore[arg-type]
    assert recorded.log == expected.log
    assert len({repr(entry) for entry in recorded.log}) > 1, "the scheduler did nothing"
    assert_follows(recorded.optimizer, mine, run)


@every_engine
@every_name
def test_a_resumed_schedule_goes_on(name: str, engine: str):
    """Optimizer and scheduler restored: the learning rate is live, and goes on from where it was."""
    grads = gradients(weights(), steps=10)
    whole, first = weights(), weights()
    straight = Recorded(ours(name, whole, engine, lr=0.1), SCHEDULERS["CosineAnnealingLR"])
    before = Recorded(ours(name, first, engine, lr=0.1), SCHEDULERS["CosineAnnealingLR"])
    for gs in grads:
        step(straight, whole, gs)  # type: ignore[arg-type]
    for gs in grads[:4]:
        step(before, first, gs)  # type: ignore[arg-type]
    after = Recorded(ours(name, first, engine, lr=0.7), SCHEDULERS["CosineAnnealingLR"])
    after.scheduler.load_state_dict(before.scheduler.state_dict())
    after.optimizer.load_state_dict(before.optimizer.state_dict())
    for gs in grads[4:]:
        step(after, first, gs)  # type: ignore[arg-type]
    assert before.log + after.log == straight.log
    for a, b in zip(first, whole, strict=True):
        assert torch.equal(a, b)
