import math
from importlib import import_module

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from adamas.lab import optimizers, workloads
from adamas.lab.compare import spec
from adamas.lab.data import digits
from adamas.lab.errors import LabError
from adamas.lab.streams import batches, initialized_model, stream_seed
from adamas.lab.train import Stopped, train

TINY = "lab_workloads:Tiny"


def metrics(result):
    return [(point.step, point.train_loss, point.test_metric) for point in result.points]


def test_one_spec_gives_the_same_bits_whatever_ran_before():
    short = spec("cnn", "adam", seed=3).model_copy(update={"steps": 30, "eval_every": 10})
    first = train(short)
    torch.manual_seed(1234)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        again = train(short)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert metrics(first) == metrics(again)
    assert metrics(first) != metrics(train(short.model_copy(update={"seed": 4})))


def test_the_engine_of_the_spec_trains(monkeypatch):
    reference = spec(TINY, "adam", seed=0).model_copy(update={"engine": "reference"})
    expected = metrics(train(reference))
    monkeypatch.setenv("ADAMAS_ENGINE", "reference")
    assert spec(TINY, "adam", seed=0) == reference
    assert metrics(train(reference)) == expected


def test_training_leaves_the_callers_random_stream_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(spec(TINY, "adam", seed=0))
    assert torch.equal(torch.rand(3), expected)


def test_every_optimizer_sees_the_same_start_batches_and_dropout():
    recording = import_module("lab_workloads").Recording
    seen = {}
    for name in optimizers.CATALOGUE:
        recording.log.clear()
        train(spec("lab_workloads:Recording", name, seed=5))
        seen[name] = list(recording.log)
    assert all(log == seen["sgd"] for log in seen.values())
    assert len(seen["sgd"]) == recording.steps
    recording.log.clear()
    train(spec("lab_workloads:Recording", "sgd", seed=6))
    assert all(mine != other for mine, other in zip(recording.log, seen["sgd"], strict=True))


def test_an_epoch_is_a_permutation():
    data = (torch.arange(10),)
    stream = batches(data, batch_size=5, seed=0)
    for _ in range(3):
        assert sorted([*next(stream)[0].tolist(), *next(stream)[0].tolist()]) == list(range(10))


def test_streams_of_neighbouring_seeds_do_not_overlap():
    streams = {stream_seed(seed, name) for seed in range(50) for name in ("initialization", "batches", "noise")}
    assert len(streams) == 150


def test_a_batch_larger_than_the_data_is_an_error():
    with pytest.raises(LabError, match="batch of 11 is larger than the 10"):
        next(batches((torch.arange(10),), batch_size=11, seed=0))


@pytest.mark.parametrize("name", list(optimizers.CATALOGUE))
def test_every_optimizer_of_the_catalogue_learns(name):
    points = train(spec(TINY, name, seed=0)).points
    assert points[-1].train_loss < points[0].train_loss


@pytest.fixture(scope="module")
def baseline():
    data = digits()
    train_split, test_split = ([part.numpy() for part in split] for split in (data.train, data.test))
    with threadpool_limits(1):
        return LogisticRegression(max_iter=300).fit(*train_split).score(*test_split)


@pytest.mark.parametrize(("workload", "steps"), [("cnn", 300), ("mlp", 1000)])
def test_learning_beats_logistic_regression(workload, steps, baseline):
    short = spec(workload, "adam", seed=0).model_copy(update={"steps": steps, "eval_every": steps})
    assert train(short).points[-1].test_metric > baseline + 0.005


def test_costs_add_up():
    result = train(spec(TINY, "momentum", seed=0))
    assert [point.step for point in result.points] == [0, 4, 8, 12]
    assert [point.examples for point in result.points] == [0, 128, 256, 384]
    for before, after in zip(result.points, result.points[1:], strict=False):
        assert 0 < after.optimizer_seconds - before.optimizer_seconds < after.seconds - before.seconds
        assert after.cpu_seconds > before.cpu_seconds
    assert result.parameters == 650
    assert result.state_bytes == 4 * 650


def test_the_last_step_is_evaluated_even_between_two_evaluations():
    uneven = spec(TINY, "sgd", seed=0).model_copy(update={"steps": 10})
    assert [point.step for point in train(uneven).points] == [0, 4, 8, 10]


def test_a_diverging_run_ends_at_the_first_loss_that_is_not_finite():
    result = train(spec("mlp", "sgd", seed=0, lr=1e30))
    assert result.diverged
    assert result.points[-1].step < 1000
    assert all(math.isfinite(point.train_loss) for point in result.points[:-1])


def test_training_stops_when_asked():
    with pytest.raises(Stopped):
        train(spec("lab_workloads:Endless", "sgd", seed=0), stop=lambda: True)


def test_initial_weights_depend_on_the_seed_alone():
    workload = workloads.load("mlp")
    first, again, other = (initialized_model(workload, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
