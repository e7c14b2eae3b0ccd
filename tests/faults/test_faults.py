"""What a process may suffer. ``docs/faults.md`` is the table of all faults, each with its test, here or elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import adamas

from ..contract.measure import assert_same_bits

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
posix = pytest.mark.skipif(os.name != "posix", reason="forks")


def program(code: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter; a hang is a failure."""
    env = {**os.environ, **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=timeout, check=False)


def trained(steps: int = 5, seed: int = 0, size: int = 50_000) -> torch.Tensor:
    """Return a weight after some steps that depend on the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    p = torch.nn.Parameter(torch.randn(size, generator=generator))
    optimizer = adamas.AdamW([p], lr=0.01, state_format="int8")
    for _ in range(steps):
        p.grad = torch.randn(size, generator=generator)
        optimizer.step()
    return p.detach()


STEP = """
import os, sys, torch, adamas
torch.set_num_threads(2)
p = torch.nn.Parameter(torch.ones(200_000)); p.grad = torch.ones(200_000)
optimizer = adamas.AdamW([p])
optimizer.step()
"""


@posix
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_steps_on() -> None:
    """The parent's threads are not there: OpenMP would wait for them for ever."""
    child = "child = os.fork()\nif child == 0:\n    optimizer.step(); os._exit(7 if p[0] < 0.999 else 1)\n"
    done = program(STEP + child + "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))")
    assert done.stdout.strip() == "7", done.stderr


@posix
def test_multiprocessing_steps_in_forked_processes() -> None:
    code = """
import multiprocessing
def work(queue):
    optimizer.step(); queue.put(float(p.detach()[0]))
context = multiprocessing.get_context("fork")
queue = context.SimpleQueue()
children = [context.Process(target=work, args=(queue,)) for _ in range(2)]
for child in children: child.start()
seen = {queue.get() for _ in children}
for child in children: child.join()
optimizer.step()
print(seen == {float(p.detach()[0])})
"""
    done = program(STEP + code)
    assert done.stdout.strip() == "True", done.stderr


def test_data_loader_workers_beside_steps() -> None:
    code = """
from torch.utils.data import DataLoader
seen = 0
for batch in DataLoader(range(40), batch_size=10, num_workers=2):
    optimizer.step(); seen += len(batch)
print(seen, torch.get_num_threads())
"""
    done = program(STEP + code)
    assert done.stdout.split() == ["40", "2"], done.stderr


def test_more_threads_than_cores() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4 * (os.cpu_count() or 1) + 3)
        many = trained()
    finally:
        torch.set_num_threads(before)
    assert_same_bits(many, trained())


def test_two_optimizers_in_two_threads() -> None:
    alone = [trained(20, seed) for seed in (1, 2)]
    together: dict[int, torch.Tensor] = {}
    threads = [threading.Thread(target=lambda s=s: together.update({s: trained(20, s)})) for s in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same_bits([together[1], together[2]], alone)


def test_the_interpreter_ends_while_another_thread_steps() -> None:
    code = """
import threading
def forever():
    while True: optimizer.step()
threading.Thread(target=forever, daemon=True).start()
import time; time.sleep(0.3); print("end")
"""
    done = program(STEP + code)
    assert (done.returncode, done.stdout.strip()) == (0, "end"), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory by RLIMIT_AS")
def test_state_that_does_not_fit_into_memory_changes_nothing() -> None:
    code = """
import resource, torch, adamas
small, large = (torch.nn.Parameter(torch.ones(n)) for n in (10, 30_000_000))
for p in (small, large): p.grad = torch.ones_like(p)
optimizer = adamas.AdamW([small, large], engine="cpu")
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, -1))
try:
    optimizer.step()
except (RuntimeError, MemoryError) as error:
    print("memory" in str(error), len(optimizer.state), float(small.sum()))
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
optimizer.step()
print(len(optimizer.state))
"""
    done = program(code)
    assert done.stdout.split() == ["True", "0", "10.0", "2"], done.stdout + done.stderr


def test_every_fault_has_its_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, f"no test is named in {row}"
        for file, test in named:
            assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), (file, test)
