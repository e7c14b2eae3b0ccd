"""Rows put in order and added up: the compiled library and torch find the same, for any indices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import adamas
from adamas.sparse import cpu, launch, merging
from adamas.sparse.merging import Room, entries_of, gather, merge

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


@pytest.fixture(params=[1, 2, 3, 6])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def many(kind: str, count: int, height: int) -> torch.Tensor:
    """Return numbers of rows: drawn alike, by Zipf's law, all in one place, all but one the same, or increasing."""
    generator = torch.Generator().manual_seed(count)
    if kind == "zipf":
        drawn = float(height) ** torch.rand(count, generator=generator, dtype=torch.float64)
        return drawn.long().clamp_max(height) - 1
    alike = torch.randint(0, height, (count,), generator=generator)
    if kind == "near":
        return height - 1 - alike % min(height, 50)
    if kind == "same":
        return torch.full((count,), height // 3).index_fill(0, torch.tensor([count // 2]), height - 1)
    return alike.sort().values if kind == "sorted" else alike


@pytest.mark.parametrize("kind", ["alike", "zipf", "near", "same", "sorted"])
@pytest.mark.parametrize("height", [1, 700, 100_000, (1 << 31) - 1])
@pytest.mark.parametrize("count", [2047, 2048, 4099, 20_000])
def test_any_number_of_threads_finds_the_same(threads: int, count: int, height: int, kind: str) -> None:
    """Rows are sorted in parts, a thread each, that differ in how many they are; one may have all. So may sums."""
    index, values = many(kind, count, height), torch.randn(count, 9)  # enough of them to be added up by several
    ours = gather("w", index, values, height, torch.float32)
    theirs = merge("w", index, values, height, torch.float32)
    assert torch.equal(ours.rows, theirs.rows)
    assert torch.equal(ours.merged(), theirs.merged())


@pytest.mark.parametrize("bad", [[0], [2500], [4999], [1300, 4000], [0, 1250, 2500, 3750]], ids=str)
def test_the_first_index_out_of_range_is_named(threads: int, bad: list[int]) -> None:
    """Whichever thread finds it."""
    index = many("alike", 5000, 900)
    for number, place in enumerate(bad):
        index[place] = -5 if number % 2 else 900 + place
    with pytest.raises(RuntimeError, match=rf"w has a gradient with index {900 + bad[0]}, its rows are 0 to 899"):
        gather("w", index, torch.ones(5000, 1), 900, torch.float32)


def test_room_of_before_is_written_over() -> None:
    """And new room made where it is too small, or far too large."""
    room, before = Room(), torch.empty(0)
    for count, same in ((30, False), (10, True), (200, False), (199, True), (9000, False), (2300, True), (2000, False)):
        index, values = many("alike", count, 50), torch.randn(count, 3)
        found = gather("w", index, values, 50, torch.float32, room)
        assert (found.room is before) == same
        theirs, before = merge("w", index, values, 50, torch.float32), found.room
        assert torch.equal(found.rows, theirs.rows)
        assert torch.equal(found.merged(), theirs.merged())


@pytest.mark.parametrize("count", [40, 5000])
@pytest.mark.parametrize("height", [30, 1 << 20])
def test_rows_that_come_again_are_not_sorted_again(count: int, height: int) -> None:
    """But others are, if only two entries have changed their places, or one its row."""
    index = many("alike", count, height)
    index[0], index[1], index[2], index[-1] = 7, 11, 11, 23
    swapped, other, first, last = (index.clone() for _ in range(4))
    swapped[[0, 1]] = index[[1, 0]]
    other[2], first[0], last[-1] = 13, 23, 7
    room, values, behind = Room(), torch.randn(count, 3), 4 * count + 2
    gather("w", index, values, height, torch.float32, room)
    for now, again in ((index, True), (swapped, False), (index, False), (other, False), (last, False), (first, False)):
        room.numbers[behind:] = -1
        found = gather("w", now, values, height, torch.float32, room)
        assert bool((room.numbers[behind:] == -1).all()) == again
        theirs = merge("w", now, values, height, torch.float32)
        assert torch.equal(found.rows, theirs.rows)
        assert torch.equal(found.merged(), theirs.merged())


def test_what_was_out_of_range_is_no_order_to_come_back_to() -> None:
    room, index = Room(), torch.tensor([4, 2, 4])
    gather("w", index, torch.ones(3, 1), 5, torch.float32, room)
    with pytest.raises(RuntimeError, match="index 5"):
        gather("w", torch.tensor([4, 5, 4]), torch.ones(3, 1), 5, torch.float32, room)
    assert gather("w", index, torch.ones(3, 1), 5, torch.float32, room).merged().tolist() == [[1.0], [2.0]]


def test_rows_that_were_just_read_are_stepped_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """`attach` and a step look for the same rows, the latter in the order that the former has found."""
    unchanged: list[bool] = []
    sort = Room.sort

    def seen(self: Room, loaded: Any, index: torch.Tensor, count: int, height: int) -> int:
        before = self.numbers.clone()
        found = sort(self, loaded, index, count, height)
        unchanged.append(torch.equal(self.numbers, before))
        return found

    monkeypatch.setattr(Room, "sort", seen)
    words = torch.nn.Embedding(100, 4, sparse=True)
    optimizer = adamas.AdamW(words.parameters(), engine="cpu")
    optimizer.attach(words)
    for _ in range(3):
        unchanged.clear()
        words(torch.randint(0, 100, (3, 20))).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert unchanged == [False, True]


def test_more_entries_than_can_be_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "LONG", 8)
    with pytest.raises(
        RuntimeError, match=r"the gradient of w has 8 entries, and at most 7 can be added up: call p.grad"
    ):
        gather("w", torch.arange(8), torch.ones(8, 1), 10, torch.float32)


def test_a_table_with_more_rows_than_can_be_numbered_is_stepped_by_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (merging, cpu):
        monkeypatch.setattr(module, "HIGH", 50)
    for height, stepped_by in ((49, "CpuRows"), (50, "ReferenceRows")):
        p = torch.nn.Parameter(torch.zeros(height, 4))
        p.grad = coo(torch.tensor([3, 1, 3]), torch.ones(3, 4), (height, 4))
        optimizer = adamas.AdamW([p])
        optimizer.step()
        optimizer.catch_up(p, torch.tensor([1, 2]))
        assert optimizer._plan is not None
        launch = optimizer._plan._batches[0]._launch
        assert type(launch).__name__ == stepped_by


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
