"""Training on a real Dask cluster: two worker processes, the same bits, and clear words when it is gone."""

import asyncio
import gc
import io
import sys
from pathlib import Path

import dask
import distributed
import pytest
import torch

from adamas.lab.analysis import summarize
from adamas.lab.cluster import Cluster
from adamas.lab.compare import collect, paired_specs
from adamas.lab.errors import LabError
from adamas.lab.results import RunStore
from adamas.lab.train import Stopped, train
from adamas.lab.trainer import Trainer

TINY = "lab_workloads:Tiny"


@pytest.fixture(autouse=True)
def no_dropped_clients():
    """Collect clients that could not connect: they close then, and amid the start of another that waits for itself."""
    gc.collect()


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


def test_a_run_whose_worker_is_killed_goes_on_to_the_same_bits_on_another(tmp_path, monkeypatch):
    """Of 200 steps of 30 ms 150 are done when it dies; a checkpoint is made every two seconds."""
    monkeypatch.setenv("HALFWAY", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    spec = paired_specs(["lab_workloads:Halfway"], ["adam"], seeds=1)[0]
    runs_dir = tmp_path / "runs"
    runs_dir.mkdir()
    again = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    with (
        again,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as started,
    ):
        address = started.scheduler_address  # pyright: ignore[reportAttributeAccessIssue] - a cluster, not a coroutine
        with Trainer(cluster=address) as trainer:
            [run] = collect([spec], RunStore(runs_dir), trainer)
        assert (tmp_path / "died").exists()
        assert 200 < len((tmp_path / "steps").read_text()) < 200 + 150  # not all of the 150 were done again
        assert bits(run.result) == bits(train(spec))
        with distributed.Client(address) as client, pytest.raises(asyncio.TimeoutError):
            distributed.Variable(f"adamas {spec.run_id}", client).get(timeout="10ms")  # and nothing is left of it


def test_a_run_whose_program_is_killed_goes_on_to_the_same_bits_with_the_next(cluster, tmp_path):
    [spec] = paired_specs([TINY], ["adam"], seeds=1)
    asked = iter(range(100))
    with pytest.raises(Stopped):
        train(spec, lambda: next(asked) >= 6, checkpoint=tmp_path / "checkpoint")
    with distributed.Client(cluster.scheduler_address) as client:
        variable = distributed.Variable(f"adamas {spec.run_id}", client)
        content = (tmp_path / "checkpoint").read_bytes()
        variable.set(content)
        with Trainer(cluster=cluster.scheduler_address) as trainer:
            [run] = collect([spec], RunStore(tmp_path), trainer)
        # The clock shows that it went on from there: what was before is as it was then.
        kept = torch.load(io.BytesIO(content))["points"]
        assert f'"seconds":{run.result.points[1].seconds!r}' in kept
        assert bits(run.result) == bits(train(spec))
        variable.set(content)
        (tmp_path / f"{spec.run_id}.json").unlink()
        with Trainer(cluster=cluster.scheduler_address, fresh=True) as trainer:
            [run] = collect([spec], RunStore(tmp_path), trainer)
        assert f'"seconds":{run.result.points[1].seconds!r}' not in kept


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
