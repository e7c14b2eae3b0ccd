"""Touched rows step as a dense tensor would, all others stay: against torch, an oracle, and the engines each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import adamas

from ..core.catalog import CASES, Case, same_bits
from ..core.test_allocation import allocated
from ..core.test_engines import ISAS
from .sequences import coo, gradients, lead, weight

ROWWISE = [case for case in CASES if case.rule != "CautiousAdam"]  # which is refused: test_bad_input
CASE_IDS = [f"{case.optimizer}-{case.rule}" for case in ROWWISE]
every_case = pytest.mark.parametrize("case", ROWWISE, ids=CASE_IDS)
LAZY: dict[str, Any] = {"sparse": "lazy"}


def lazily(case: Case) -> dict[str, Any]:
    return {**case.kwargs, **(LAZY if case.optimizer in ("Adam", "AdamW") else {})}


def run(case: Case, shape: tuple[int, ...], dtype: torch.dtype, engine: str, **more: Any) -> Any:
    return lead(getattr(adamas, case.optimizer), shape, 8, dtype, engine=engine, **lazily(case), **more)


def assert_same(one: Any, other: Any) -> None:
    assert same_bits(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        assert same_bits(value, other[1][name]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", [(40, 64), (40, 7), (30, 3, 5), (50,)], ids=str)
@every_case
def test_engines_agree(case: Case, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    assert_same(run(case, shape, dtype, "cpu"), run(case, shape, dtype, "reference"))


@pytest.mark.parametrize(
    "options",
    [{"state_format": "int8"}, {"state_format": "int4"}, {"rounding": "split24"}, {"rounding": "split32"}],
    ids=str,
)
@pytest.mark.parametrize("shape", [(40, 128), (40, 200), (40, 33)], ids=str)
def test_engines_agree_in_few_bits(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    case = Case("Adam", "AdamW")
    dtype = torch.bfloat16 if "rounding" in options else torch.float32
    assert_same(run(case, shape, dtype, "cpu", **options), run(case, shape, dtype, "reference", **options))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("sparse", ["lazy", "exact"])
def test_every_instruction_set(isa: str, sparse: str, on_isa: None) -> None:
    for amsgrad, eps, dtype in (
        (False, 1e-8, torch.float32),
        (False, 1e-3, torch.float32),
        (True, 1e-8, torch.float32),
        (True, 1e-3, torch.float64),
        (False, 1e-3, torch.bfloat16),
    ):
        options = {"sparse": sparse, "amsgrad": amsgrad, "eps": eps}
        ours = lead(adamas.AdamW, (40, 70), 25, dtype, engine="cpu", **options)
        assert_same(ours, lead(adamas.AdamW, (40, 70), 25, dtype, engine="reference", **options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("engine", ["cpu", "reference"])
@every_case
def test_all_rows_are_the_dense_step_to_the_bit(case: Case, engine: str, dtype: torch.dtype) -> None:
    runs = []
    for dense in (True, False):
        p = weight((12, 40), dtype)
        optimizer = case.make([p], engine=engine)
        if case.optimizer == "Adam" or case.rule not in ("Adam", "AMSGrad"):
            optimizer.param_groups[0]["sparse"] = "lazy"  # decay that is coupled, or a rule that cannot be caught up
        generator = torch.Generator().manual_seed(3)
        for _ in range(6):
            rows = torch.randperm(12, generator=generator)
            grad = coo(rows, torch.randn(12, 40, generator=generator).to(dtype), (12, 40))
            p.grad = grad.to_dense() if dense else grad
            optimizer.step()
        runs.append((p.detach(), dict(optimizer.state[p])))
    assert_same(*runs)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("hyper", [{}, {"betas": (0.5, 0.9), "eps": 1e-2, "maximize": True, "lr": 0.1}], ids=str)
def test_sparse_adam_is_torchs(hyper: dict[str, Any], engine: str) -> None:
    for dtype, error in ((torch.float64, 1e-13), (torch.float32, 1e-5)):
        ours, state = lead(adamas.SparseAdam, (30, 5), 40, dtype, engine=engine, **hyper)
        theirs, expected = lead(torch.optim.SparseAdam, (30, 5), 40, dtype, **hyper)
        assert torch.allclose(ours, theirs, rtol=error, atol=error)
        assert state["step"] == expected["step"]
        for name in ("exp_avg", "exp_avg_sq"):
            assert torch.allclose(state[name], expected[name], rtol=error, atol=error)


def test_sparse_adam_has_torchs_signature() -> None:
    import inspect

    ours, theirs = (inspect.signature(each.SparseAdam).parameters for each in (adamas, torch.optim))
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
    assert [(x.name, x.default) for x in ours.values() if x.kind in kinds] == [
        (x.name, x.default) for x in theirs.values() if x.kind in kinds
    ]


def test_sparse_adam_against_an_oracle() -> None:
    """Kingma & Ba 2015, the last lines of section 2, on the rows of each gradient."""
    theta = weight((30, 5), torch.float64).detach().numpy().copy()
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, grad in enumerate(gradients((30, 5), 40, torch.float64), start=1):
        rows = sorted(set(grad._indices()[0].tolist()))
        g = grad.to_dense().numpy()[rows]
        m[rows] = 0.8 * m[rows] + 0.2 * g
        v[rows] = 0.95 * v[rows] + 0.05 * g**2
        alpha = 0.01 * np.sqrt(1 - 0.95**t) / (1 - 0.8**t)
        theta[rows] -= alpha * m[rows] / (np.sqrt(v[rows]) + 1e-4)
    ours, _ = lead(adamas.SparseAdam, (30, 5), 40, torch.float64, lr=0.01, betas=(0.8, 0.95), eps=1e-4)
    np.testing.assert_allclose(ours.numpy(), theta, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_a_first_step_of_a_row_is_a_first_step(engine: str) -> None:
    """With row_steps, a row that comes late moves by lr; without, by what its moments miss."""
    moved = {}
    for row_steps in (True, False):
        p = torch.nn.Parameter(torch.zeros(4, 3))
        optimizer = adamas.AdamW([p], lr=0.5, weight_decay=0, sparse="lazy", row_steps=row_steps, engine=engine)
        for _ in range(100):
            p.grad = coo([0], torch.ones(1, 3), (4, 3))
            optimizer.step()
        p.grad = coo([2, 0], torch.ones(2, 3), (4, 3))
        optimizer.step()
        moved[row_steps] = -p.detach()[2, 0].item()
        if row_steps:
            assert optimizer.state[p]["row_step"].tolist() == [101, 0, 1, 0]
    assert moved[True] == pytest.approx(0.5, rel=1e-6)
    assert moved[False] == pytest.approx(0.5 * 0.1 * (1 - 0.999**101) ** 0.5 / (0.001**0.5 * (1 - 0.9**101)), rel=1e-4)


def test_row_steps_are_kept_in_a_checkpoint() -> None:
    p, q = weight((40, 6)), weight((40, 6))
    make = {"sparse": "lazy", "row_steps": True}
    optimizer, other = adamas.AdamW([p], **make), adamas.AdamW([q], **make)
    grads = list(gradients((40, 6), 20))
    for grad in grads[:10]:
        p.grad = grad
        optimizer.step()
    q.data.copy_(p.data)
    other.load_state_dict(optimizer.state_dict())
    for grad in grads[10:]:
        p.grad, q.grad = grad, grad
        optimizer.step()
        other.step()
    assert torch.equal(p, q)
    assert torch.equal(optimizer.state[p]["row_step"], other.state[q]["row_step"])


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_duplicates_are_added_up(engine: str) -> None:
    values = torch.tensor([[1.0, 2.0], [4.0, 8.0], [16.0, 32.0]])
    runs = []
    for grad in (coo([2, 1, 2], values, (4, 2)), coo([2, 1, 2], values, (4, 2)).coalesce()):
        p = weight((4, 2))
        p.grad = grad
        adamas.AdamW([p], engine=engine).step()
        runs.append(p.detach())
    assert torch.equal(*runs)


def test_sixteen_bit_duplicates_are_added_in_float32() -> None:
    p = torch.nn.Parameter(torch.zeros(2, 1, dtype=torch.bfloat16))
    p.grad = coo([1] * 300, torch.ones(300, 1, dtype=torch.bfloat16), (2, 1))
    adamas.SGD([p], lr=1.0, rounding="nearest").step()
    assert p.tolist() == [[0.0], [-300.0]]  # a bfloat16 sum stops at 256


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_more_sparse_dimensions(engine: str) -> None:
    """Every element, or every pair of indices, is a row then; torch.optim.SparseAdam takes such gradients, too."""
    full = torch.where(torch.rand(6, 4, 3, generator=torch.Generator().manual_seed(0)) < 0.3, 1.5, 0.0)
    for sparse_dim in (1, 2, 3):
        p, q = weight((6, 4, 3)), weight((6, 4, 3))
        optimizer, other = adamas.SparseAdam([p], engine=engine), torch.optim.SparseAdam([q])
        for factor in (1.0, -3.0):
            p.grad, q.grad = ((factor * full).to_sparse(sparse_dim) for _ in range(2))
            optimizer.step()
            other.step()
        assert torch.allclose(p, q, atol=1e-7)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_an_embedding_bag_and_a_dense_layer_in_one_optimizer(engine: str) -> None:
    torch.manual_seed(0)
    models = [
        torch.nn.Sequential(torch.nn.EmbeddingBag(20, 8, sparse=sparse), torch.nn.Linear(8, 2))
        for sparse in (False, True)
    ]
    models[1].load_state_dict(models[0].state_dict())
    for model in models:
        optimizer = adamas.Adagrad(model.parameters(), engine=engine)
        for seed in range(5):
            words = torch.randint(0, 20, (3, 4), generator=torch.Generator().manual_seed(seed))
            model(words).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_a_weight_that_moves_is_stepped_where_it_is(engine: str) -> None:
    still, moved = weight((9, 4)), weight((9, 4))
    for p in (still, moved):
        optimizer = adamas.AdamW([p], sparse="lazy", engine=engine)
        for step, grad in enumerate(gradients((9, 4), 4)):
            if p is moved and step == 2:
                p.data = p.data.clone()
            p.grad = grad
            optimizer.step()
    assert torch.equal(still, moved)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads(threads: int) -> None:
    before = torch.get_num_threads()
    shape = (3000, 33)
    grads = list(gradients(shape, 3, most=2500))
    runs = []
    try:
        for count in (1, threads):
            torch.set_num_threads(count)
            p = weight(shape)
            optimizer = adamas.AdamW([p], engine="cpu")
            for grad in grads:
                p.grad = grad
                optimizer.step()
            optimizer.flush()
            runs.append(p.detach())
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*runs)


@pytest.mark.parametrize("sparse", ["lazy", "exact"])
def test_gradient_and_untouched_rows_stay(sparse: str) -> None:
    p = weight((9, 4))
    start = p.detach().clone()
    grad = coo([7, 3, 7], torch.randn(3, 4), (9, 4))
    index, values = grad._indices().clone(), grad._values().clone()
    p.grad = grad
    version = p._version
    adamas.AdamW([p], sparse=sparse).step()
    assert p._version > version
    assert torch.equal(grad._indices(), index)
    assert torch.equal(grad._values(), values)
    others = [0, 1, 2, 4, 5, 6, 8]
    assert torch.equal(p[others], start[others])
    assert (p[[3, 7]] != start[[3, 7]]).all()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_the_doctor_looks_at_what_is_dense(engine: str) -> None:
    words, head = weight((6, 3)), weight((3, 2))
    optimizer = adamas.AdamW([("words", words), ("head", head)], engine=engine)
    optimizer.diagnose_every = 1
    for _ in range(20):
        words.grad, head.grad = coo([1, 4], torch.ones(2, 3), (6, 3)), torch.randn(3, 2)
        optimizer.step()
    assert optimizer.doctor is not None
    assert [seen.name for seen in optimizer.doctor.looks[-1].seen] == ["head"]
    assert not [found for found in optimizer.diagnose() if "words" in found.where and "decay" not in found.what]


@pytest.mark.parametrize(
    "options", [{"sparse": "lazy"}, {"sparse": "lazy", "row_steps": True}, {"sparse": "exact"}], ids=str
)
@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_a_step_allocates_nothing_in_proportion_to_the_table(engine: str, options: dict[str, Any]) -> None:
    p = weight((20_000, 16))
    optimizer = adamas.AdamW([p], engine=engine, **options)
    for step in range(4):
        p.grad = coo([3, 500 + step, 19_999], torch.ones(3, 16), (20_000, 16))
        if step < 3:
            optimizer.step()
    assert allocated(optimizer) < 20_000  # a byte a row
