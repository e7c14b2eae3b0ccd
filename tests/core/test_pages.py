"""Moments, and what is loaded for them, are in large pages where the system gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import adamas
from adamas import pages
from adamas.sparse import cpu

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
NUMEL = pages.LEAST  # a moment in int8 would be just large enough


def huge(x: torch.Tensor) -> float:
    """Return the share of a tensor's memory that is in large pages."""
    inside, kib = False, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            low, high = (int(end, 16) for end in first.split("-"))
            inside = low < x.data_ptr() + x.nbytes and x.data_ptr() < high
        elif inside and first == "AnonHugePages:":
            kib += int(line.split()[1])
    return 1024 * kib / x.nbytes


@pytest.mark.skipif(not THP.exists() or "[madvise]" not in THP.read_text(), reason="no large pages on request")
def test_plain_moments_are_in_large_pages() -> None:
    p = torch.nn.Parameter(torch.zeros(NUMEL // 64, 64, dtype=torch.bfloat16))
    choices = {"state_format": "float32", "rounding": "split24", "sparse": "lazy"}
    optimizer = adamas.AdamW([p], **choices)  # type: ignore[arg-type]
    row = torch.ones(1, 64, dtype=torch.bfloat16)
    p.grad = torch.sparse_coo_tensor(torch.tensor([[0]]), row, p.shape, check_invariants=True)
    optimizer.step()
    loaded = adamas.AdamW([p], **choices)  # type: ignore[arg-type]
    loaded.load_state_dict(optimizer.state_dict())
    for state in (optimizer.state[p], loaded.state[p]):
        large = {key: huge(x) for key, x in state.items() if x.nbytes >= pages.LEAST}
        assert large.pop("weight_low") == 0.0  # codes and bits: see pages.py
        assert set(large) == {"exp_avg", "exp_avg_sq"}
        # what is behind the last whole large page is in small ones; the system may be short of large ones
        assert max(large.values()) > 0.8
        assert min(large.values()) > 0


def test_small_tensors_and_others_memory_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(pages, "_madvise", lambda: lambda start, size, advice: asked.append(size))
    pages.in_large_pages(torch.empty(pages.LEAST - 1, dtype=torch.uint8))
    pages.in_large_pages(torch.empty(2 * pages.LEAST, device="meta"))
    assert asked == []
    pages.in_large_pages(torch.empty(pages.LEAST, dtype=torch.uint8))
    assert len(asked) == 1
    assert 0 < pages.LEAST - asked[0] < 4096 * 16


def sparse_gradient(p: torch.Tensor) -> torch.Tensor:
    return torch.sparse_coo_tensor(torch.tensor([[5]]), torch.ones(1, 64), p.shape, check_invariants=True)


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.strided], ids=str)
def test_weights_with_sparse_gradients_are_to_be_in_large_pages(
    layout: torch.layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[range] = []
    monkeypatch.setattr(pages, "_madvise", lambda: lambda start, size, advice: asked.append(range(start, start + size)))
    p = torch.nn.Parameter(torch.zeros(pages.LEAST // 256, 64))
    p.grad = sparse_gradient(p) if layout == torch.sparse_coo else sparse_gradient(p).to_dense()
    adamas.AdamW([p], engine="cpu").step()
    assert any(p.data_ptr() + p.nbytes - 1 in each for each in asked) == (layout == torch.sparse_coo)


def can_be_made() -> bool:
    """Say whether this system makes large pages when it is asked to."""
    advise, page = pages._madvise(), pages._large_page()
    if advise is None or not page:
        return False
    x = torch.ones(2 * page, dtype=torch.uint8)
    return advise(-(-x.data_ptr() // page) * page, page, pages._COLLAPSE) == 0


@pytest.mark.skipif(not can_be_made(), reason="the system does not make large pages at once")
def test_the_first_sparse_step_makes_large_pages_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "maker", pages.Maker())  # no other test's weights have been where these are
    p = torch.nn.Parameter(torch.ones(pages.LEAST // 64, 64))
    before = p.detach().clone()
    p.grad = sparse_gradient(p)
    optimizer = adamas.AdamW([p], lr=0.0, weight_decay=0.0, engine="cpu")
    assert huge(p) == 0.0
    optimizer.step()
    assert huge(p) > 0.5
    assert torch.equal(p.detach(), before)


def record(monkeypatch: pytest.MonkeyPatch, page: int) -> list[tuple[int, int]]:
    """Have large pages of this size be asked for in vain; return where the list of them will be: offsets and sizes."""
    asked: list[tuple[int, int]] = []

    def advise(start: int, size: int, advice: int) -> int:
        if advice == pages._COLLAPSE:
            asked.append((start, size))
        return -1

    monkeypatch.setattr(pages, "_madvise", lambda: advise)
    monkeypatch.setattr(pages, "_large_page", lambda: page)
    return asked


def test_each_page_is_made_large_once(monkeypatch: pytest.MonkeyPatch) -> None:
    page = 2**21
    asked = record(monkeypatch, page)
    maker, x = pages.Maker(), torch.empty(2 * pages.LEAST, dtype=torch.uint8)
    maker.make(x)
    maker.make(x)
    assert asked == [(at, page) for at in range(asked[0][0], asked[-1][0] + 1, page)]
    assert 0 <= asked[0][0] - x.data_ptr() < page
    assert 0 <= x.data_ptr() + x.nbytes - (asked[-1][0] + page) < page


@pytest.mark.parametrize(("seconds", "page"), [(-1.0, 2**21), (1.0, 0)], ids=["no time left", "none wanted"])
def test_pages_are_left_as_they_are(seconds: float, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = record(monkeypatch, page)
    maker = pages.Maker(seconds)
    maker.make(torch.empty(2 * pages.LEAST, dtype=torch.uint8))
    assert asked == []
    assert maker.seconds <= seconds


def test_time_is_taken_from_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = record(monkeypatch, 2**21)
    clock = iter(range(100))
    monkeypatch.setattr(pages.time, "perf_counter", lambda: float(next(clock)))
    maker = pages.Maker(3.0)
    maker.make(torch.empty(2 * pages.LEAST, dtype=torch.uint8))
    assert len(asked) == 3
    assert maker.seconds < 0
