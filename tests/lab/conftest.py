from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from adamas.lab.compare import spec
from adamas.lab.environment import environment
from adamas.lab.pool import Pool
from adamas.lab.results import Run
from adamas.lab.train import train


@pytest.fixture(autouse=True)
def _test_workloads(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == threads


@pytest.fixture
def make_runs():
    """Really trained runs of a small workload."""

    def make(workload="lab_workloads:Tiny", optimizers=("sgd", "adam"), seeds=2) -> list[Run]:
        specs = [spec(workload, name, seed) for seed in range(seeds) for name in optimizers]
        return [Run(spec=each, result=train(each), environment=environment()) for each in specs]

    return make


@pytest.fixture(scope="session")
def _started():
    with Pool(workers=1) as pool:
        yield pool


@pytest.fixture
def one_worker(_started, monkeypatch):
    """Commands train with one process that is there already: to start one costs seconds, and is tested elsewhere."""
    monkeypatch.setattr("adamas.lab.trainer.Pool", lambda workers: nullcontext(_started))
