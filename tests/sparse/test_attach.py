"""Rows are caught up when they are read, and autograd notices where it must."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas

WORDS, WIDTH, STEPS = 50, 4, 150


class Model(torch.nn.Module):
    def __init__(self, sparse: bool, bag: bool) -> None:
        super().__init__()
        kind = torch.nn.EmbeddingBag if bag else torch.nn.Embedding
        self.words = kind(WORDS, WIDTH, sparse=sparse)
        self.top = torch.nn.Linear(WIDTH, 1)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(0.3 * torch.randn(p.shape, generator=generator))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.top(self.words(input=words)).square().sum() + self.words(words).tanh().sum()


def batches() -> list[torch.Tensor]:
    generator, odds = torch.Generator().manual_seed(1), 1.0 / torch.arange(1, WORDS + 1)
    return [torch.multinomial(odds, 6, True, generator=generator).view(2, 3) for _ in range(STEPS)]


def train(model: torch.nn.Module, optimizer: Any) -> list[float]:
    losses = []
    for words in batches():
        loss = model(words)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("bag", [False, True], ids=["Embedding", "EmbeddingBag"])
@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_training_is_dense_training(engine: str, bag: bool) -> None:
    options: dict[str, Any] = {"lr": 1e-2, "weight_decay": 0.1, "engine": engine}
    dense, attached, stale = (Model(sparse, bag).double() for sparse in (False, True, True))
    expected = train(dense, adamas.AdamW(dense.parameters(), **options))
    optimizer = adamas.AdamW(attached.parameters(), **options)
    handle = optimizer.attach(attached)
    assert train(attached, optimizer) == pytest.approx(expected, abs=1e-9)
    for p, q in zip(attached.state_dict().values(), dense.state_dict().values(), strict=True):
        assert torch.allclose(p, q, rtol=0, atol=1e-10)
    handle.remove()
    other = adamas.AdamW(stale.parameters(), **options)
    assert train(stale, other) != pytest.approx(expected, abs=1e-4)  # rows read before they are caught up


def test_state_dict_of_the_model_is_caught_up() -> None:
    model = Model(True, False)
    optimizer = adamas.AdamW(model.parameters(), lr=0.1)
    optimizer.attach(model)
    train(model, optimizer)
    saved = {name: x.clone() for name, x in model.state_dict().items()}
    optimizer.flush()
    assert all(torch.equal(x, saved[name]) for name, x in model.state_dict().items())


def test_after_remove_nothing_is_caught_up_at_read() -> None:
    model = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = adamas.AdamW(model.parameters())
    handle = optimizer.attach(model)
    model(torch.tensor([1])).sum().backward()
    optimizer.step()
    optimizer.step()
    handle.remove()
    optimizer.step()
    before = model.weight.detach().clone()
    model(torch.tensor([1, 2]))
    assert torch.equal(model.weight, before)


def test_catch_up_by_hand() -> None:
    weight = torch.nn.Parameter(torch.ones(6, 2))
    optimizer = adamas.AdamW([weight], lr=0.5, weight_decay=0.5)
    empty = torch.sparse_coo_tensor(
        torch.zeros(1, 0, dtype=torch.int64), torch.zeros(0, 2), (6, 2), check_invariants=True
    )
    for _ in range(3):
        weight.grad = empty
        optimizer.step()
    version = weight._version
    optimizer.catch_up(weight, torch.tensor([[4, 1], [1, 4]]))
    assert weight.tolist() == [[1.0] * 2, [0.421875] * 2, [1.0] * 2, [1.0] * 2, [0.421875] * 2, [1.0] * 2]
    assert weight._version == version + 1
    optimizer.catch_up(weight, torch.tensor([4]))  # not behind any more
    assert weight._version == version + 1
    optimizer.catch_up(weight)
    assert weight.tolist() == [[0.421875] * 2] * 6


def test_what_cannot_be_caught_up() -> None:
    weight = torch.nn.Parameter(torch.ones(6, 2))
    optimizer = adamas.AdamW([("words", weight)])
    optimizer.catch_up(weight)  # it has never been stepped
    weight.grad = torch.eye(6)[:, :2].to_sparse(1)
    for _ in range(2):
        optimizer.step()
    before = weight.detach().clone()
    with pytest.raises(IndexError, match=r"'words'.* rows 0 to 5, not 1 to 6"):
        optimizer.catch_up(weight, torch.tensor([6, 1]))
    assert torch.equal(weight, before)
    with pytest.raises(ValueError, match="no parameter of this optimizer"):
        optimizer.catch_up(torch.ones(6, 2))


def test_a_model_without_sparse_embeddings_is_refused() -> None:
    model = torch.nn.Embedding(5, 2)
    with pytest.raises(ValueError, match=r"no nn\.Embedding or nn\.EmbeddingBag with sparse=True"):
        adamas.AdamW(model.parameters()).attach(model)


def test_autograd_notices_rows_that_move_under_it() -> None:
    weight = torch.nn.Parameter(torch.ones(6, 2))
    optimizer = adamas.AdamW([weight], lr=0.5, weight_decay=0.5)
    weight.grad = torch.zeros(6, 2).to_sparse(1)
    optimizer.step()
    loss = (weight[2] * weight[2]).sum()
    saved = (weight * weight).sum()
    optimizer.catch_up(weight, torch.tensor([2]))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.backward()
    del loss
