"""One run over two real processes with gloo: the same descent as in one process, up to rounding."""

import os
import signal
import time
from multiprocessing import active_children, get_context
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from adamas.lab.compare import spec
from adamas.lab.errors import LabError
from adamas.lab.results import Point
from adamas.lab.spread import _follow, train_spread
from adamas.lab.train import Stopped, train

# Without dropout, whose masks each process draws for itself, and batch norm, which is over a process's part.
PLAIN = "lab_workloads:Plain"


def spread(wanted, strategy):
    return wanted.model_copy(update={"strategy": strategy, "devices": 2})


def assert_same_descent(together, alone):
    assert [point.step for point in together.points] == [point.step for point in alone.points]
    for one, other in zip(alone.points, together.points, strict=True):
        # Gradients that are summed in another order, step after step: a few float32 ulps each.
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-5)
    assert together.points[-1].train_loss < together.points[0].train_loss
    assert together.parameters == alone.parameters


def test_sharded_it_descends_as_in_one_process():
    wanted = spec(PLAIN, "adam", seed=1)
    assert_same_descent(train_spread(spread(wanted, "fsdp")), train(wanted))


def test_replicated_and_stopped_on_the_way_it_descends_as_in_one_process(tmp_path):
    wanted = spec(PLAIN, "adam", seed=0).model_copy(update={"steps": 200, "eval_every": 40})
    path = tmp_path / "run.checkpoint"
    seen = []
    with pytest.raises(Stopped):
        train_spread(spread(wanted, "ddp"), lambda: len(seen) > 1, heard=seen.append, checkpoint=path)
    assert path.exists()
    resumed = train_spread(spread(wanted, "ddp"), checkpoint=path)
    # What was before the stop is kept as it was, and the moments of Adam with it: the descent has no kink.
    assert list(resumed.points[: len(seen)]) == seen
    assert_same_descent(resumed, train(wanted))


def bits(result):
    return [(each.step, each.train_loss, each.test_metric) for each in result.points], result.state_bytes


def test_replicated_it_is_drawn():
    assert train_spread(spread(spec("mlp", "adam", seed=0).model_copy(update={"steps": 2}), "ddp")).pictures


def test_sharded_and_stopped_on_the_way_it_goes_on_to_the_same_bits(tmp_path):
    wanted = spread(spec("mlp", "nadam", seed=0).model_copy(update={"steps": 60, "eval_every": 12}), "fsdp")
    path, seen = tmp_path / "run.checkpoint", []
    with pytest.raises(Stopped):
        train_spread(wanted, lambda: len(seen) > 2, heard=seen.append, checkpoint=path)
    assert 24 <= torch.load(path)["step"] < 60
    resumed = train_spread(wanted, checkpoint=path)
    assert list(resumed.points[: len(seen)]) == seen  # the clock, too: they were not measured again
    assert bits(resumed) == bits(train_spread(wanted))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_sharded_and_killed_it_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """One of the two processes is killed after a checkpoint that was made on the way."""
    slow = spec("lab_workloads:Slow", "torch.optim:AdamW", seed=0).model_copy(update={"eval_every": 10})
    wanted = spread(slow, "fsdp")
    path = tmp_path / "run.checkpoint"

    def kill_one():
        pid = active_children()[-1].pid
        if path.exists() and pid is not None:
            os.kill(pid, signal.SIGKILL)
        return False

    with pytest.raises(LabError, match="a process of the run died"):
        train_spread(wanted, kill_one, checkpoint=path)
    kept = torch.load(path)
    assert 0 < kept["step"] < 200
    resumed = train_spread(wanted, checkpoint=path)
    # What was measured before, clock and all, was not measured again.
    before = kept["step"] // 10 + 1
    assert TypeAdapter(tuple[Point, ...]).validate_json(kept["points"]) == resumed.points[:before]
    assert bits(resumed) == bits(train_spread(wanted))


def complain(pipe):
    pipe.send(LabError("Connection reset by peer", ""))


def die_later():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_that_lost_the_other_is_not_what_went_wrong():
    """The complaint comes before the system knows the other to be dead, as it does now and then."""
    context = get_context("spawn")
    told, telling = context.Pipe(duplex=False)
    processes = [context.Process(target=complain, args=(telling,)), context.Process(target=die_later)]
    for process in processes:
        process.start()
    with pytest.raises(LabError, match="a process of the run died"):
        _follow(told, processes, lambda: False, context.Event(), lambda point: None)
    for process in processes:
        process.join()


@pytest.mark.parametrize(
    ("strategy", "devices", "said"),
    [("dpp", 2, "no strategy is called 'dpp'"), ("", 2, "needs a --strategy"), ("ddp", 5, "can't be divided among 5")],
)
def test_what_can_not_be_spread(strategy, devices, said):
    with pytest.raises(LabError, match=said):
        train_spread(spec(PLAIN, "adam", 0).model_copy(update={"strategy": strategy, "devices": devices}))
