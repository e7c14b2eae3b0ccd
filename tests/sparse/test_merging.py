"""Rows put in order and added up: the compiled library and torch find the same, for any indices."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas.sparse import launch
from adamas.sparse.merging import entries_of, gather, merge

from .sequences import coo

HEIGHT = 5000


@given(rows=st.lists(st.integers(0, HEIGHT - 1) | st.integers(0, 3), max_size=60), width=st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_the_library_does_what_torch_does(rows: list[int], width: int) -> None:
    values = torch.randn(len(rows), width)
    index, before = torch.tensor(rows, dtype=torch.int64), values.clone()
    ours = gather("w", index, values, HEIGHT, torch.float32)
    theirs = merge("w", index, values, HEIGHT, torch.float32)
    assert ours.rows.tolist() == theirs.rows.tolist() == sorted(set(rows))
    assert torch.equal(ours.merged(), theirs.merged())
    assert torch.equal(values, before)
    single = [rows.index(row) for row in ours.rows.tolist() if rows.count(row) == 1]
    for found in (ours, theirs):
        source = found.room[len(rows) : len(rows) + found.count]
        assert source[source < len(rows)].tolist() == single  # taken where it is: -0.0 stays so


@pytest.mark.parametrize("height", [1, 2, 255, 257, 4096, 5000, 1 << 20, (1 << 24) + 1, (1 << 31) - 1])
@pytest.mark.parametrize("count", [1, 100, 3000])
def test_rows_of_any_height_are_sorted(count: int, height: int) -> None:
    """Numbers of rows have one to three digits, which depend on how many there are, too."""
    index = torch.randint(0, height, (count,), generator=torch.Generator().manual_seed(count))
    index[: count // 10] = index[count // 2 : count // 2 + count // 10]  # some are there twice
    values = torch.randn(count, 2)
    ours = gather("w", index, values, height, torch.float32)
    theirs = merge("w", index, values, height, torch.float32)
    assert torch.equal(ours.rows, theirs.rows)
    assert torch.equal(ours.merged(), theirs.merged())


@given(rows=st.lists(st.integers(-3, 12), max_size=20))
@settings(max_examples=100, deadline=None)
def test_an_index_out_of_range_is_found(rows: list[int]) -> None:
    index, values = torch.tensor(rows, dtype=torch.int64), torch.zeros(len(rows), 2)
    if all(0 <= row < 10 for row in rows):
        gather("w", index, values, 10, torch.float32)
        return
    with pytest.raises(RuntimeError, match=r"w has a gradient with index -?\d+, its rows are 0 to 9"):
        gather("w", index, values, 10, torch.float32)


def test_entries_that_look_as_those_before_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any number; other entries are looked at anew."""
    looked: list[int] = []

    def counted(name: str, p: torch.Tensor, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        looked.append(grad._nnz())
        return entries_of(name, p, grad)

    monkeypatch.setattr(launch, "entries_of", counted)
    p = torch.nn.Parameter(torch.zeros(50, 4))
    optimizer = adamas.AdamW([p], engine="cpu")
    for count, step in ((5, 1), (7, 1), (3, 1), (4, 2), (6, 1)):
        p.grad = coo(torch.arange(count), torch.ones(count, 4 * step)[:, ::step], (50, 4))
        optimizer.step()
    assert looked == [5, 4]
