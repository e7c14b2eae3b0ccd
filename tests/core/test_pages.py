"""Moments, and what is loaded for them, are in large pages where the system gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import adamas
from adamas import pages

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


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.strided], ids=str)
def test_weights_with_sparse_gradients_are_to_be_in_large_pages(
    layout: torch.layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[range] = []
    monkeypatch.setattr(pages, "_madvise", lambda: lambda start, size, advice: asked.append(range(start, start + size)))
    p = torch.nn.Parameter(torch.zeros(pages.LEAST // 256, 64))
    row = torch.sparse_coo_tensor(torch.tensor([[5]]), torch.ones(1, 64), p.shape, check_invariants=True)
    p.grad = row if layout == torch.sparse_coo else row.to_dense()
    adamas.AdamW([p], engine="cpu").step()
    assert any(p.data_ptr() + p.nbytes - 1 in each for each in asked) == (layout == torch.sparse_coo)
