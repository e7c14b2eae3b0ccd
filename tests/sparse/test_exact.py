"""Rows that are caught up are where the dense optimizer would have them."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits
from .sequences import coo, gradients, lead, warm_cosine, weight

SHAPE = (60, 5)
STEPS = 400
every_engine = pytest.mark.parametrize("engine", ["cpu", "reference"])

SETTINGS = {
    "plain": {},
    "decay": {"weight_decay": 0.5, "lr": 1e-2},
    "short memory": {"betas": (0.9, 0.95), "weight_decay": 0.1},
    "no momentum": {"betas": (0.0, 0.9)},
    "long momentum": {"betas": (0.97, 0.95)},
    "large eps": {"eps": 1e-1},
    "tiny eps": {"eps": 1e-300},
    "amsgrad": {"amsgrad": True, "weight_decay": 0.1, "betas": (0.95, 0.9)},
    "amsgrad and large eps": {"amsgrad": True, "eps": 1e-1},
    "maximize": {"maximize": True},
    "independent decay": {"decay_mode": "independent", "weight_decay": 1e-3},
}


@pytest.mark.parametrize("schedule", [None, warm_cosine(STEPS)], ids=["constant", "warm-up and cosine"])
@pytest.mark.parametrize("hyper", SETTINGS.values(), ids=SETTINGS)
@every_engine
def test_float64_is_dense(hyper: dict[str, Any], schedule: Any, engine: str) -> None:
    """Against adamas' dense step, which has its own oracles; STEPS roundings of 1e-16 and terms of 1e-16 left out."""
    options = {**hyper, "schedule": schedule}
    ours, state = lead(adamas.AdamW, SHAPE, STEPS, torch.float64, engine=engine, **options)
    dense, expected = lead(adamas.AdamW, SHAPE, STEPS, torch.float64, dense=True, engine=engine, **options)
    assert (ours - dense).abs().max() < 1e-12
    assert state.keys() == expected.keys()
    assert state["step"] == expected["step"]
    for name in ("exp_avg", "exp_avg_sq"):
        assert torch.allclose(state[name], expected[name], rtol=1e-12, atol=1e-300)


@every_engine
def test_float64_is_torchs_dense_adamw(engine: str) -> None:
    options = {"weight_decay": 0.1, "schedule": warm_cosine(STEPS)}
    ours, _ = lead(adamas.AdamW, SHAPE, STEPS, torch.float64, engine=engine, **options)
    dense, _ = lead(torch.optim.AdamW, SHAPE, STEPS, torch.float64, dense=True, **options)
    assert (ours - dense).abs().max() < 1e-12


@pytest.mark.parametrize("schedule", [None, warm_cosine(STEPS)], ids=["constant", "warm-up and cosine"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("eps", [1e-8, 1e-3])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.95)])
def test_float32_is_not_further_from_dense_float64_than_dense_float32(
    betas: Any, eps: float, decay: float, schedule: Any
) -> None:
    """`benchmarks/sparse_errors.py` has the same over 5000 steps."""
    options: dict[str, Any] = {"betas": betas, "eps": eps, "weight_decay": decay, "schedule": schedule}
    truth, _ = lead(adamas.AdamW, SHAPE, STEPS, torch.float64, dense=True, **options)
    exact, _ = lead(adamas.AdamW, SHAPE, STEPS, **options)
    dense, _ = lead(adamas.AdamW, SHAPE, STEPS, dense=True, **options)
    lazy, _ = lead(adamas.AdamW, SHAPE, STEPS, sparse="lazy", **options)
    errors = [(x.double() - truth).abs().mean().item() for x in (exact, dense, lazy)]
    assert errors[0] < errors[1] < errors[2] / 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("hyper", SETTINGS.values(), ids=SETTINGS)
def test_engines_agree(hyper: dict[str, Any], dtype: torch.dtype) -> None:
    for shape in ((40, 64), (40, 7)):
        ours, state = lead(adamas.AdamW, shape, 60, dtype, engine="cpu", **hyper)
        theirs, expected = lead(adamas.AdamW, shape, 60, dtype, engine="reference", **hyper)
        assert torch.equal(ours, theirs)
        assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("read", [False, True], ids=["stepped", "read"])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("eps", [1e-5, 0.0])
def test_engines_agree_in_rows_partly_near_eps(eps: float, amsgrad: bool, read: bool) -> None:
    """Every register of a row may be the first that the series does not do for; some elements never have a gradient."""
    for width in (64, 71):
        scale = torch.ones(40, width)
        for row in range(1, 40):
            scale[row, row * width // 40] = (1e-7, 0.0, 1e-3)[row % 3]
            scale[row, -(row % 9) :] *= (1.0, 1e-6)[row % 2]
        found = []
        for engine in ("cpu", "reference"):
            p = weight((40, width))
            optimizer = adamas.AdamW([p], lr=1e-2, eps=eps, amsgrad=amsgrad, engine=engine)
            for grad in gradients((40, width), 60, most=30):
                rows = grad._indices()[0]
                p.grad = coo(rows, grad._values() * scale[rows], (40, width))
                optimizer.step()
                if read:
                    optimizer.catch_up(p, torch.arange(0, 40, 3))
            optimizer.flush()
            found.append([p.detach(), *(optimizer.state[p][name] for name in ("exp_avg", "exp_avg_sq"))])
        for ours, theirs in zip(*found, strict=True):
            assert_same_bits(ours, theirs)


@pytest.mark.parametrize(
    "options", [{"rounding": "split24"}, {"rounding": "split32"}, {"state_format": "float32"}], ids=str
)
def test_engines_agree_in_sixteen_bits(options: dict[str, Any]) -> None:
    ours, state = lead(adamas.AdamW, (40, 40), 60, torch.bfloat16, engine="cpu", **options)
    theirs, expected = lead(adamas.AdamW, (40, 40), 60, torch.bfloat16, engine="reference", **options)
    assert torch.equal(ours, theirs)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@every_engine
def test_squares_that_vanish(engine: str) -> None:
    """Where v is zero in float32 and m is not, only eps is left in the denominator."""
    for scale in (1e-25, 1e-12, 1e-8):
        runs = []
        for dense in (False, True):
            p = torch.nn.Parameter(torch.zeros(3, 4))
            optimizer = adamas.AdamW([p], lr=1.0, weight_decay=0, engine=engine)
            for step in range(30):
                grad = coo([1], torch.full((1, 4), scale), (3, 4)) if step == 3 else coo([], torch.zeros(0, 4), (3, 4))
                p.grad = grad.to_dense() if dense else grad
                optimizer.step()
            optimizer.flush()
            runs.append(p.detach())
        assert runs[1].abs().max() > 0
        assert torch.allclose(*runs, rtol=1e-5, atol=0)


class Pair:
    """A weight stepped sparsely, and one stepped densely with the same gradients."""

    def __init__(self, dtype: torch.dtype = torch.float64, **options: Any) -> None:
        self.p, self.q = weight(SHAPE, dtype), weight(SHAPE, dtype)
        self.sparse, self.dense = (adamas.AdamW([x], **{"weight_decay": 0.1, **options}) for x in (self.p, self.q))
        self.grads = gradients(SHAPE, 1000, dtype)

    def step(self, count: int, dense: bool = False) -> None:
        for _ in range(count):
            grad = next(self.grads)
            self.p.grad, self.q.grad = grad.to_dense() if dense else grad, grad.to_dense()
            self.sparse.step()
            self.dense.step()

    def set(self, **options: Any) -> None:
        for optimizer in (self.sparse, self.dense):
            optimizer.param_groups[0].update(options)

    def assert_equal(self) -> None:
        self.sparse.flush()
        assert (self.p - self.q).abs().max() < 1e-12


CHANGES: dict[str, list[dict[str, Any]]] = {
    "betas": [{"betas": (0.8, 0.9)}, {"betas": (0.9, 0.999)}],
    "eps": [{"eps": 1e-2}],
    "weight_decay": [{"weight_decay": 0.0}, {"weight_decay": 0.3}],
    "lr": [{"lr": 0.0}, {"lr": 0.1}, {"lr": torch.tensor(0.01)}],
    "amsgrad": [{"amsgrad": True}],
    "amsgrad and back": [{"amsgrad": True}, {"amsgrad": False}, {"amsgrad": True}],
    "maximize": [{"maximize": True}],
    "sparse": [{"sparse": "exact"}],
    "engine": [{"engine": "reference"}, {"engine": "cpu"}],
    "decay_mode": [{"decay_mode": "decoupled"}],
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_hyper_parameters_may_change(changes: list[dict[str, Any]]) -> None:
    pair = Pair()
    pair.step(30)
    for change in changes:
        pair.set(**change)
        pair.step(30)
    pair.assert_equal()


def test_from_exact_to_lazy_nothing_is_lost() -> None:
    pair = Pair()
    pair.step(30)
    pair.sparse.param_groups[0]["sparse"] = "lazy"
    before = pair.q.detach().clone()
    pair.p.grad = coo([], torch.zeros(0, SHAPE[1], dtype=torch.float64), SHAPE)
    pair.sparse.step()
    assert (pair.p - before).abs().max() < 1e-12


@pytest.mark.parametrize("change", [{"nesterov": True}, {"eps_mode": "inside"}, {"amsgrad": True}], ids=str)
def test_a_change_of_rule_catches_up_first(change: dict[str, Any]) -> None:
    """Rows that have missed steps of the old rule, and a dense gradient for the new one."""
    pair = Pair()
    pair.step(30)
    pair.set(**change)
    pair.step(10, dense=True)
    pair.assert_equal()


def test_dense_gradients_in_between() -> None:
    pair = Pair()
    for dense in (False, True, False, True):
        pair.step(20, dense=dense)
    pair.assert_equal()


def test_steps_without_a_gradient_are_no_steps() -> None:
    pair = Pair()
    pair.step(20)
    pair.p.grad = pair.q.grad = None
    for optimizer in (pair.sparse, pair.dense):
        optimizer.step()
    pair.step(20)
    pair.assert_equal()


def test_decay_to_nothing_is_flushed_before_it_is_lost() -> None:
    pair = Pair(weight_decay=90.0, lr=0.01)
    pair.step(400)  # 0.1^400
    pair.assert_equal()


def test_a_flushed_checkpoint_is_one_of_adamw() -> None:
    pair = Pair()
    pair.step(50)
    ours, theirs = pair.sparse.state_dict(), pair.dense.state_dict()
    assert ours.keys() == theirs.keys()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["adamas"] == theirs["adamas"]
    assert [*ours["state"][0]] == [*theirs["state"][0]]
    for name, value in theirs["state"][0].items():
        assert ours["state"][0][name].dtype == value.dtype
        assert torch.allclose(ours["state"][0][name], value, rtol=1e-12, atol=1e-300)
    torch.optim.AdamW([pair.p]).load_state_dict(ours)


def test_a_resumed_run_goes_on_as_one_that_was_flushed() -> None:
    pair = Pair()
    pair.step(50)
    kept, weights = copy.deepcopy(pair.sparse.state_dict()), pair.p.detach().clone()
    p = torch.nn.Parameter(weights)
    optimizer = adamas.AdamW([p])
    optimizer.load_state_dict(kept)
    for grad in list(gradients(SHAPE, 20, torch.float64, seed=5)):
        pair.p.grad, p.grad = grad, grad
        pair.sparse.step()
        optimizer.step()
    optimizer.flush()
    pair.sparse.flush()
    assert torch.equal(p, pair.p)


def test_loading_forgets_what_was_to_be_caught_up() -> None:
    """Weights come with their moments: what rows of before have missed must not move the loaded ones."""
    pair = Pair()
    pair.step(10)
    kept, weights = copy.deepcopy(pair.sparse.state_dict()), pair.p.detach().clone()
    pair.step(10)
    with torch.no_grad():
        pair.p.copy_(weights)
    pair.sparse.load_state_dict(kept)
    pair.sparse.flush()
    assert torch.equal(pair.p, weights)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("first", ["parameter", "optimizer"])
@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_copies_are_flushed(way: Any, first: str, engine: str) -> None:
    """Whichever is copied first: a parameter that is copied before its optimizer still lags."""
    pair = Pair()
    pair.sparse.param_groups[0]["engine"] = engine
    pair.step(30)
    both = way((pair.p, pair.sparse) if first == "parameter" else (pair.sparse, pair.p))
    p, other = both if first == "parameter" else both[::-1]
    assert p is other.param_groups[0]["params"][0]
    pair.sparse.flush()
    assert torch.equal(p, pair.p)
    p.grad = pair.p.grad = coo([4], torch.ones(1, SHAPE[1], dtype=torch.float64), SHAPE)
    for optimizer in (other, pair.sparse):
        optimizer.step()
        optimizer.flush()
    assert torch.equal(p, pair.p)
    assert all(torch.equal(other.state[p][key], each) for key, each in pair.sparse.state[pair.p].items())


def test_torch_save_of_model_and_optimizer() -> None:
    pair = Pair()
    pair.step(30)
    file = io.BytesIO()
    torch.save({"weight": pair.p, "optimizer": pair.sparse.state_dict()}, file)
    file.seek(0)
    assert (torch.load(file)["weight"] - pair.q).abs().max() < 1e-12


def test_replaced_parameters_are_flushed() -> None:
    pair = Pair()
    pair.step(30)
    new = torch.nn.Parameter(torch.zeros(SHAPE[0] + 3, SHAPE[1], dtype=torch.float64))
    pair.sparse.replace(pair.p, new)
    assert (pair.p - pair.q).abs().max() < 1e-12
    new.grad = coo([SHAPE[0] + 1], torch.ones(1, SHAPE[1], dtype=torch.float64), tuple(new.shape))
    pair.sparse.step()
    pair.sparse.flush()


def test_state_that_is_deleted_starts_afresh() -> None:
    pair = Pair()
    pair.step(30)
    pair.sparse.flush()
    del pair.sparse.state[pair.p]
    pair.step(1)
    assert pair.sparse.state[pair.p]["step"] == 1
    pair.sparse.flush()


def test_a_skipped_step_is_no_step() -> None:
    pair = Pair(nonfinite="skip")
    pair.step(20)
    pair.p.grad = coo([3], torch.full((1, SHAPE[1]), torch.inf, dtype=torch.float64), SHAPE)
    pair.sparse.step()
    assert pair.sparse.skipped == 1
    pair.step(20)
    pair.assert_equal()
