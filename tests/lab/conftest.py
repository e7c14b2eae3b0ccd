from pathlib import Path

import pytest
import torch

from adamas.lab.compare import spec
from adamas.lab.environment import environment
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
