"""What only a GPU shows: captured graphs, release, checkpoints, streams. Skipped without one (``make gpu-test``)."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import adamas
from adamas.engines.triton import interpreted

from ..core.catalog import same_bits

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
on_gpu = pytest.mark.skipif(interpreted() or not torch.cuda.is_available(), reason="needs a GPU: make gpu-test")
FORMATS: list[dict[str, Any]] = [{}, {"state_format": "int8"}, {"clip_norm": 0.1, "nonfinite": "skip"}]
every_format = pytest.mark.parametrize("options", FORMATS, ids=str)


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 300), torch.nn.Tanh(), torch.nn.Linear(300, 7)).cuda()


def train(net: torch.nn.Module, optimizer: adamas.Optimizer, first: int = 0, steps: int = 4) -> None:
    for step in range(first, first + steps):
        torch.manual_seed(step)
        net(torch.randn(16, 40, device="cuda")).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def assert_same(a: torch.nn.Module, b: torch.nn.Module) -> None:
    assert all(same_bits(x.detach(), y.detach()) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@needs_gpu
def test_graphs_train_as_steps_do() -> None:
    """In a process of its own: here Triton may have been told to interpret."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    words = [sys.executable, "-m", "tests.triton.capture"]
    done = subprocess.run(words, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@on_gpu
@every_format
def test_steps_are_the_cpus(options: dict[str, Any]) -> None:
    """The same gradients on both devices: the same bits, clipped by the same norm."""
    here, there = model().cpu(), model()
    optimizers = [adamas.AdamW(net.parameters(), lr=0.01, **options) for net in (here, there)]
    for step in range(4):
        torch.manual_seed(step)
        for p, q in zip(here.parameters(), there.parameters(), strict=True):
            p.grad = torch.randn(p.shape)
            if step == 2 and options.get("nonfinite"):
                p.grad.view(-1)[0] = torch.inf
            q.grad = p.grad.cuda()
        for optimizer in optimizers:
            optimizer.step()
    assert_same(here, there)


@on_gpu
@pytest.mark.parametrize("options", FORMATS[:2], ids=str)
def test_release_trains_as_steps_do(options: dict[str, Any]) -> None:
    plain, released = model(), model()
    train(plain, adamas.AdamW(plain.parameters(), lr=0.01, **options))
    optimizer = adamas.AdamW(released.parameters(), lr=0.01, **options)
    handle = optimizer.release(released)
    train(released, optimizer)
    handle.remove()
    assert_same(plain, released)


@on_gpu
@every_format
def test_checkpoints_go_on_to_the_same_bits(options: dict[str, Any], tmp_path: Path) -> None:
    net = model()
    optimizer = adamas.AdamW(net.parameters(), lr=0.01, **options)
    train(net, optimizer)
    adamas.save(tmp_path, net, optimizer)
    other = copy.deepcopy(net)
    later = adamas.AdamW(other.parameters(), lr=0.5, **options)
    adamas.load(tmp_path, other, later)
    train(net, optimizer, first=4)
    train(other, later, first=4)
    assert_same(net, other)
    state = next(iter(later.state.values()))
    assert state["exp_avg"].is_cuda


@on_gpu
def test_steps_follow_each_other_on_a_stream_of_ones_own() -> None:
    plain, other = model(), model()
    train(plain, adamas.AdamW(plain.parameters(), lr=0.01))
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        train(other, adamas.AdamW(other.parameters(), lr=0.01))
    side.synchronize()
    assert_same(plain, other)


@on_gpu
@pytest.mark.parametrize("sparse", ["exact", "lazy"])
def test_embeddings_are_the_cpus(sparse: str) -> None:
    """Rows are drawn without repetition: their gradients have the same bits on both devices."""
    tables = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        words = torch.nn.Embedding(50, 24, sparse=True).to(device)
        optimizer = adamas.AdamW(words.parameters(), lr=0.1, sparse=sparse)
        if sparse == "exact":
            optimizer.attach(words)
        for step in range(9):
            torch.manual_seed(step)
            rows, factors = torch.randperm(50)[:6], torch.randn(6, 24)
            (words(rows.to(device)) * factors.to(device)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        optimizer.state_dict()
        tables.append(words.weight.detach())
    assert same_bits(*tables)


@on_gpu
def test_the_doctor_says_what_it_does_on_the_cpu() -> None:
    said = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(2)
        p = torch.nn.Parameter(torch.randn(300, 20).bfloat16().to(device))
        optimizer = adamas.AdamW([("w", p)], lr=1e-5, rounding="nearest")
        optimizer.diagnose_every = 1
        for _ in range(30):
            p.grad = torch.randn(300, 20).bfloat16().to(device)
            optimizer.step()
        said.append([str(finding) for finding in optimizer.diagnose()])
    assert said[0]
    assert said[0] == said[1]
