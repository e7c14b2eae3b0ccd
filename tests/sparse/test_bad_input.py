"""What cannot be stepped is refused by name, before anything is written: also not another parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import adamas
from adamas.guards import NonFiniteError

from .sequences import coo, weight

SHAPE = (6, 3)
every_engine = pytest.mark.parametrize("engine", ["cpu", "reference"])


class Bad:
    """Stands in for a COO gradient whose parts do not fit: torch makes none (it turns float64 indices into int64)."""

    layout, dtype, device, shape = torch.sparse_coo, torch.float32, torch.device("cpu"), torch.Size(SHAPE)

    def __init__(self, index: torch.Tensor, values: torch.Tensor) -> None:
        self._index, self._parts = index, values

    def sparse_dim(self) -> int:
        return 1

    def _indices(self) -> torch.Tensor:
        return self._index

    def _values(self) -> torch.Tensor:
        return self._parts


GRADIENTS: dict[str, tuple[Callable[[], Any], str]] = {
    "index too large": (lambda: coo([1, 6], torch.ones(2, 3), SHAPE), r"index 6, its rows are 0 to 5"),
    "index below zero": (lambda: coo([1, -2], torch.ones(2, 3), SHAPE), r"index -2, its rows are 0 to 5"),
    "float64 indices": (lambda: Bad(torch.zeros(1, 1).double(), torch.ones(1, 3)), r"torch\.float64: .*int64"),
    "dense dimensions": (lambda: Bad(torch.zeros(1, 1).long(), torch.ones(1, 2)), r"shape \(1, 2\).*\(1, 3\)"),
    "no sparse dimension": (
        lambda: torch.sparse_coo_tensor(torch.zeros(0, 1).long(), torch.ones(1, *SHAPE), SHAPE, check_invariants=False),
        r"no sparse dimension.*to_dense",
    ),
    "shape": (lambda: coo([1], torch.ones(1, 4), (6, 4)), r"shape"),
    "dtype": (lambda: coo([1], torch.ones(1, 3).double(), SHAPE), r"dtype|type"),
    "CSR": (lambda: torch.ones(SHAPE).to_sparse_csr(), r"sparse_csr.*torch\.sparse_coo"),
    "CSC": (lambda: torch.ones(SHAPE).to_sparse_csc(), r"sparse_csc.*torch\.sparse_coo"),
}


@pytest.mark.filterwarnings("ignore:Sparse CS:UserWarning")
@pytest.mark.parametrize("trained", [False, True], ids=["first_step", "later_step"])
@pytest.mark.parametrize(("make", "words"), GRADIENTS.values(), ids=GRADIENTS)
@pytest.mark.parametrize("sparse", ["lazy", "exact"])
@every_engine
def test_a_wrong_gradient(engine: str, sparse: str, make: Any, words: str, trained: bool, monkeypatch: Any) -> None:
    good, bad = weight((5, 2)), weight(SHAPE)
    optimizer = adamas.AdamW([("good", good), ("words", bad)], sparse=sparse, engine=engine)
    if trained:
        good.grad, bad.grad = torch.ones(5, 2), coo([1], torch.ones(1, 3), SHAPE)
        optimizer.step()
    good.grad = torch.ones(5, 2)
    give(bad, make(), monkeypatch)
    before = snapshot(optimizer, [good, bad])
    with pytest.raises(RuntimeError, match=rf"(?s)(?=.*'words')(?=.*{words})"):
        optimizer.step()
    assert_same(before, snapshot(optimizer, [good, bad]))


def give(p: torch.nn.Parameter, grad: Any, monkeypatch: Any) -> None:
    """Make this the parameter's gradient, past torch's own checks where it must be."""
    try:
        p.grad = grad
    except (RuntimeError, TypeError):
        monkeypatch.setattr(torch.nn.Parameter, "grad", property(lambda self: grad if self is p else torch.ones(5, 2)))


def snapshot(optimizer: Any, params: list[torch.Tensor]) -> list[Any]:
    return [(p.detach().clone(), {name: x.clone() for name, x in optimizer.state.get(p, {}).items()}) for p in params]


def assert_same(before: list[Any], after: list[Any]) -> None:
    for (p, state), (q, other) in zip(before, after, strict=True):
        assert torch.equal(p, q)
        assert state.keys() == other.keys()
        assert all(torch.equal(x, other[name]) for name, x in state.items())


SETTINGS: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "coupled decay": (adamas.Adam, {"weight_decay": 0.1}, r"coupled decay \(weight_decay=0.1\).*AdamW.*sparse='lazy'"),
    "long momentum": (adamas.AdamW, {"betas": (0.99, 0.97)}, r"betas=\(0.99, 0.97\).*beta1\^2 >= beta2.*amsgrad=True"),
    "all decays": (adamas.AdamW, {"lr": 1.0, "weight_decay": 1.0}, r"decays by 1 a step.*sparse='lazy'"),
    "int8": (adamas.AdamW, {"state_format": "int8"}, r"int8.*state_format='float32'.*sparse='lazy'"),
    "clip_update": (adamas.AdamW, {"clip_update": 1.0}, r"clip_update=1.0.*clip_norm"),
    "differentiable": (adamas.AdamW, {"differentiable": True}, r"differentiable.*to_dense"),
    "cautious": (adamas.AdamW, {"cautious": True, "sparse": "lazy"}, r"cautious=True.*cautious=False"),
}


@pytest.mark.parametrize(("make", "options", "words"), SETTINGS.values(), ids=SETTINGS)
@every_engine
def test_settings_that_do_not_go_with_sparse_gradients(engine: str, make: Any, options: Any, words: str) -> None:
    engine = "reference" if "differentiable" in options else engine
    p = weight(SHAPE)
    optimizer = make([("words", p)], engine=engine, **options)
    p.grad = coo([1], torch.ones(1, 3), SHAPE)
    before = snapshot(optimizer, [p])
    with pytest.raises(RuntimeError, match=rf"(?s)(?=.*'words')(?=.*{words})"):
        optimizer.step()
    assert_same(before, snapshot(optimizer, [p]))


@every_engine
def test_settings_that_turn_bad(engine: str) -> None:
    """Between two steps: the plan is kept, the check is made all the same."""
    p = weight(SHAPE)
    optimizer = adamas.AdamW([("words", p)], engine=engine)
    p.grad = coo([1], torch.ones(1, 3), SHAPE)
    optimizer.step()
    optimizer.param_groups[0]["betas"] = (0.99, 0.9)
    before = snapshot(optimizer, [p])
    with pytest.raises(RuntimeError, match="beta1"):
        optimizer.step()
    assert_same(before, snapshot(optimizer, [p]))


def test_exact_is_for_adam() -> None:
    p = weight(SHAPE)
    optimizer = adamas.Optimizer([("words", p)], adamas.rules.RMSprop, sparse="exact")
    p.grad = coo([1], torch.ones(1, 3), SHAPE)
    with pytest.raises(RuntimeError, match=r"'words'.*Adam, AdamW and AMSGrad, not for RMSprop"):
        optimizer.step()


def test_unknown_words() -> None:
    with pytest.raises(ValueError, match=r"unknown sparse 'exat'; did you mean 'exact'"):
        adamas.AdamW([weight(SHAPE)], sparse="exat")
    with pytest.raises(ValueError, match=r"row_steps=True is for sparse='lazy'"):
        adamas.AdamW([weight(SHAPE)], row_steps=True)


def test_rows_that_share_blocks_are_refused() -> None:
    p = weight((4, 6, 8))
    optimizer = adamas.AdamW([("words", p)], sparse="lazy", state_format="int8")
    p.grad = torch.ones(4, 6, 8).to_sparse(2)
    with pytest.raises(RuntimeError, match=r"'words'.*moments in blocks"):
        optimizer.step()


def test_gradient_release_refuses_sparse_gradients() -> None:
    model = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = adamas.AdamW(model.named_parameters())
    handle = optimizer.release(model)
    before = model.weight.detach().clone()
    with pytest.raises(RuntimeError, match=r"'weight'.*sparse gradient.*sparse=False"):
        model(torch.tensor([1])).sum().backward()
    assert torch.equal(model.weight, before)
    handle.remove()


@every_engine
def test_guards_see_the_merged_gradient(engine: str) -> None:
    """clip_norm and nonfinite do for a sparse gradient what they do for the dense one."""
    for dense in (False, True):
        p = torch.nn.Parameter(torch.zeros(SHAPE))
        optimizer = adamas.SGD([("words", p)], lr=1.0, clip_norm=1.0, nonfinite="raise", engine=engine)
        grad = coo([1, 4, 1], torch.tensor([[1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [2.0, 0.0, 0.0]]), SHAPE)
        p.grad = grad.to_dense() if dense else grad
        optimizer.step()
        assert optimizer.last_step is not None
        assert optimizer.last_step.norm == 5.0
        assert torch.allclose(-p.detach()[[1, 4]], torch.tensor([[0.6, 0.0, 0.0], [0.0, 0.8, 0.0]]), atol=1e-6)
        p.grad = coo([1, 4], torch.tensor([[1.0, torch.nan, 0.0], [torch.inf, 4.0, 0.0]]), SHAPE)
        with pytest.raises(NonFiniteError, match=r"'words'.*1 NaN and 1 infinite"):
            optimizer.step()


@pytest.mark.filterwarnings("ignore")
def test_a_gradient_scaler_works() -> None:
    p, q = weight(SHAPE), weight(SHAPE)
    optimizer, other = adamas.AdamW([p]), adamas.AdamW([q])
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for rows in ([1, 1, 3], [2]):
        values = torch.randn(len(rows), 3)
        p.grad, q.grad = coo(rows, 8.0 * values, SHAPE), coo(rows, values, SHAPE)
        scaler.scale(torch.ones(()))
        scaler.step(optimizer)
        scaler.update()
        other.step()
    assert torch.allclose(p, q)
