"""Training on a real Dask cluster: two worker processes, the same bits, and clear words when it is gone."""

import sys
from pathlib import Path

import dask
import distributed
import pytest

from adamas.lab.analysis import summarize
from adamas.lab.cluster import Cluster
from adamas.lab.compare import collect, paired_specs
from adamas.lab.errors import LabError
from adamas.lab.results import RunStore
from adamas.lab.train import train
from adamas.lab.trainer import Trainer

TINY = "lab_workloads:Tiny"


@pytest.fixture(scope="module")
def cluster():
    # Workers inherit the path, and must find the workloads of the tests, too.
    sys.path.insert(0, str(Path(__file__).parent))
    # A run that kills its worker is not tried on another, so that the test is short.
    once = dask.config.set({"distributed.scheduler.allowed-failures": 0})
    try:
        with (
            once,
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,  # pyright: ignore[reportArgumentType] - documented: no dashboard
                host="127.0.0.1",
            ) as started,
        ):
            yield started
    finally:
        sys.path.remove(str(Path(__file__).parent))


def bits(result):
    return [(each.step, each.train_loss, each.test_metric) for each in result.points], result.internals


def test_it_gives_the_bits_of_this_machine_and_keeps_them_here(cluster, tmp_path):
    specs = paired_specs([TINY], ["sgd", "adam"], seeds=3)
    store = RunStore(tmp_path)
    with Trainer(cluster=cluster.scheduler_address) as trainer:
        runs = collect(specs, store, trainer)
    assert [run.spec for run in runs] == specs
    assert all(bits(run.result) == bits(train(run.spec)) for run in runs)
    assert len(store.all()) == 6
    assert [summary.optimizer for summary in summarize(runs)] == ["sgd", "adam"]


@pytest.mark.parametrize(
    ("workload", "said"),
    [("Failing", "ValueError: no such luck"), ("Dying", "died, one after another"), ("Elsewhere", "can't be loaded")],
)
def test_what_goes_wrong_on_a_worker_is_one_clear_line(cluster, tmp_path, workload, said):
    [spec] = paired_specs([TINY], ["sgd"], seeds=1)
    spec = spec.model_copy(update={"workload": f"lab_workloads:{workload}"})
    with Trainer(cluster=cluster.scheduler_address) as trainer, pytest.raises(LabError) as caught:
        collect([spec], RunStore(tmp_path), trainer)
    assert said in caught.value.problem
    assert "\n" not in caught.value.problem


def test_other_versions_are_refused(cluster, tmp_path):
    [spec] = paired_specs([TINY], ["sgd"], seeds=1)
    with Trainer(cluster=cluster.scheduler_address) as trainer, pytest.raises(LabError, match="torch"):
        collect([spec.model_copy(update={"torch": "1.0"})], RunStore(tmp_path), trainer)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1", "nonsense://x"])
def test_no_scheduler_answers(address, monkeypatch):
    monkeypatch.setattr("adamas.lab.cluster._PATIENCE", "1s")
    with pytest.raises(LabError, match="no Dask scheduler answers"):
        Cluster(address)
