"""Ten broken scripts yield their finding first, healthy ones none; and what each check takes for a number."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

import adamas
from adamas.doctor.checks import CHECKS
from adamas.doctor.history import KEPT

from . import faults
from .faults import FAULTS, Net, adamw, data, healthy, train

EVERY_FAULT = [pytest.param(script, what, id=script.__name__) for script, what in FAULTS.items()]


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate parameters")
@pytest.mark.parametrize("every", [4, 16])
@pytest.mark.parametrize(("script", "what"), EVERY_FAULT)
def test_a_broken_script_yields_its_finding_first(
    script: Callable[[], adamas.Optimizer], what: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "EVERY", every)
    found = script().diagnose()
    assert [each.what for each in found][:1] == [what]
    assert found[0].advice
    assert found[0].source
    assert math.isfinite(found[0].number)


def test_there_are_ten_faults_and_a_healthy_script() -> None:
    assert len(FAULTS) == 10
    assert healthy().diagnose() == []


# Different models, rules and data of the lab.
LAB = (
    ("logreg", "sgd", {"lr": 0.1}),
    ("mlp", "adam", {"lr": 1e-3}),
    ("cnn", "nadam", {"lr": 1e-3}),
    ("autoencoder", "radam", {"lr": 1e-3}),
    ("embed", "adam", {"lr": 3e-3}),
    ("mlp@tanh", "lion", {"lr": 1e-4}),
)


@pytest.mark.parametrize(("workload", "optimizer", "hyper"), LAB)
@pytest.mark.parametrize("every", [4, 16])
def test_healthy_trainings_of_the_lab_yield_none(workload: str, optimizer: str, hyper: dict, every: int) -> None:
    from adamas.lab import workloads
    from adamas.lab.spec import RunSpec
    from adamas.lab.streams import reproducible
    from adamas.lab.train import Training

    size = workloads.load(workload).batch_size
    spec = RunSpec(
        workload=workload,
        optimizer=optimizer,
        hyperparameters=hyper,
        seed=0,
        steps=120,
        batch_size=size,
        eval_every=120,
    )
    with reproducible():
        training = Training(spec)
        assert isinstance(training.optimizer, adamas.Optimizer)
        training.optimizer.diagnose_every = every
        while not training.finished:
            training.advance()
    assert training.optimizer.diagnose() == []


def whats(optimizer: adamas.Optimizer) -> list[str]:
    return [each.what for each in optimizer.diagnose()]


def found(optimizer: adamas.Optimizer, what: str) -> adamas.doctor.Finding:
    return next(each for each in optimizer.diagnose() if each.what == what)


def test_no_doctor_no_diagnosis() -> None:
    model = Net()
    optimizer = adamw(model)
    with pytest.raises(RuntimeError, match=r"set optimizer\.diagnose_every = 16"):
        optimizer.diagnose()
    optimizer.diagnose_every = 3
    optimizer.diagnose_every = None
    assert optimizer.doctor is None


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "16"])
def test_the_interval_is_a_positive_integer(every: object) -> None:
    with pytest.raises(ValueError, match="diagnose_every must be None or an integer of at least 1, got"):
        adamw(Net()).diagnose_every = every  # type: ignore[assignment]


def test_looks_are_taken_at_the_interval_and_change_no_bit() -> None:
    plain, looked = Net(), Net()
    optimizer = train(looked, adamw(looked), steps=11)
    for step in range(11):
        if step == 0:
            other = adamw(plain)
        x, y = data(step)
        other.zero_grad()
        ((plain(x) - y) ** 2).mean().backward()
        other.step()
    assert optimizer.doctor is not None
    assert [look.count for look in optimizer.doctor.looks] == [4, 8]
    for a, b in zip(plain.parameters(), looked.parameters(), strict=True):
        assert torch.equal(a, b)


def test_history_is_bounded_and_travels() -> None:
    w = nn.Parameter(torch.ones(3))
    optimizer = adamas.AdamW([w])
    optimizer.diagnose_every = 1
    for _ in range(KEPT + 5):
        w.grad = torch.randn(3)
        optimizer.step()
    for copied in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert copied.doctor is not None
        assert [look.count for look in copied.doctor.looks] == list(range(6, KEPT + 6))
        assert copied.diagnose() == optimizer.diagnose()


def test_decay_that_rounds_away() -> None:
    for dtype, grain in ((torch.bfloat16, 2.0**-9), (torch.float16, 2.0**-12), (torch.float32, 2.0**-25)):
        for factor, rounds in ((0.99, True), (1.01, False)):
            w = nn.Parameter(torch.ones(4, 4, dtype=dtype))
            optimizer = adamas.AdamW([("w", w)], lr=1e-2, weight_decay=factor * grain / 1e-2, rounding="nearest")
            optimizer.diagnose_every = 1
            w.grad = torch.ones_like(w)
            optimizer.step()
            assert ("weight decay rounds away" in whats(optimizer)) == rounds
            if rounds:
                assert found(optimizer, "weight decay rounds away").number == pytest.approx(0.99, rel=1e-6)
    for keep in ({"rounding": "stochastic"}, {"decay_mode": "l2"}):
        w = nn.Parameter(torch.ones(4, 4).bfloat16())
        optimizer = adamas.AdamW([w], **{"lr": 1e-4, "weight_decay": 0.01, "rounding": "nearest", **keep})
        optimizer.diagnose_every = 1
        assert "weight decay rounds away" not in whats(optimizer)


def test_signs() -> None:
    w = nn.Parameter(torch.ones(10, 10))
    optimizer = adamas.AdamW([("w", w)], lr=1e-4, weight_decay=0)
    optimizer.diagnose_every = 4
    for _ in range(40):
        w.grad = torch.ones(10, 10)
        optimizer.step()
    assert found(optimizer, "updates are nearly signs").number == 1.0
    assert found(optimizer, "updates are nearly signs").where == ("w",)


def test_a_warm_restart() -> None:
    model = Net()
    optimizer = adamw(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.1 if 100 < t < 140 else 1.0)
    optimizer.diagnose_every = 8
    for step in range(160):
        x, y = data(step)
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
        schedule.step()
    assert found(optimizer, "a warm restart without warm-up").number == pytest.approx(10)


@pytest.mark.parametrize("resumes", [True, False])
def test_a_schedule_that_does_not_resume(resumes: bool) -> None:
    model = Net()
    optimizer = train(model, adamw(model), steps=8)
    for group in optimizer.param_groups:
        group["lr"] = 1e-4  # where the schedule was
    saved = optimizer.state_dict()
    again = adamw(model)
    again.diagnose_every = 16
    again.load_state_dict(saved)
    if not resumes:
        torch.optim.lr_scheduler.StepLR(again, 10)
        for group in again.param_groups:
            group["lr"] = 1e-3  # what a scheduler with its own idea of lr does
    x, y = data(9)
    ((model(x) - y) ** 2).mean().backward()
    again.step()
    assert ("the schedule did not resume" in whats(again)) == (not resumes)
    if not resumes:
        assert found(again, "the schedule did not resume").number == pytest.approx(10)


def test_skipped_steps_are_found_though_nothing_was_seen() -> None:
    model = Net()
    optimizer = adamw(model, nonfinite="skip")

    def batches(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = data(step)
        return (x * math.nan, y) if step == 7 else (x, y)

    train(model, optimizer, batches, steps=20)
    assert optimizer.diagnose()[0].what == "a gradient is not finite"
    assert optimizer.diagnose()[0].number == 1


def test_a_parameter_listed_twice_in_a_group() -> None:
    w = nn.Parameter(torch.ones(3))
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = adamas.SGD([w, w], lr=1e-3)
    optimizer.diagnose_every = 1
    w.grad = torch.ones(3)
    optimizer.step()
    assert whats(optimizer) == ["a weight is stepped twice"]


def test_released_gradients_are_refused() -> None:
    model = Net()
    optimizer = adamw(model)
    optimizer.diagnose_every = 4
    with pytest.raises(RuntimeError, match="the doctor cannot look at released gradients"):
        optimizer.release(model)
    optimizer.diagnose_every = None
    handle = optimizer.release(model)
    with pytest.raises(RuntimeError, match="cannot be looked at"):
        optimizer.diagnose_every = 4
    handle.remove()


def test_every_check_is_documented_and_has_a_test_that_finds_it() -> None:
    assert all(check.__doc__ for check in CHECKS)
    named = {*FAULTS.values(), "weight decay rounds away", "updates are nearly signs"}
    named |= {"a warm restart without warm-up", "the schedule did not resume"}
    assert len(named) == len(CHECKS)


def test_names_come_from_the_optimizer_or_from_places() -> None:
    model = Net()
    optimizer = adamas.AdamW(model.parameters(), weight_decay=0.1)
    optimizer.diagnose_every = 4
    assert found(optimizer, "weight decay acts on biases and norms").where[0] == "0.1"
    assert faults.EVERY == 4
