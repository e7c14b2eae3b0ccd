"""A run that is stopped, however, goes on to the same bits; and so does a sweep."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from adamas.lab.checkpoint import Checkpoint
from adamas.lab.compare import spec
from adamas.lab.results import RunStore
from adamas.lab.train import Stopped, Training, train

HERE = Path(__file__).parent
TINY = "lab_workloads:Tiny"
# One of each kind of state: none, a moment, two moments, a maximum, a product of scalars, weights of its own.
OPTIMIZERS = ["sgd", "momentum", "adam", "amsgrad", "nadam", "torch.optim:AdamW", "schedulefree:AdamWScheduleFree"]


def bits(result):
    points = [(each.step, each.train_loss, each.test_metric) for each in result.points]
    return points, result.internals, result.state_bytes


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_stopped_at_any_step_goes_on_to_the_same_bits(tmp_path, name):
    """Between two evaluations and at one, in the first epoch of 44 steps, the second and the third."""
    wanted = spec(TINY, name, seed=3).model_copy(update={"steps": 100, "eval_every": 10})
    expected = bits(train(wanted))
    path = tmp_path / "run.checkpoint"
    for at in (1, 50, 95):
        asked = iter(range(100))
        with pytest.raises(Stopped):
            train(wanted, lambda asked=asked, steps=at: next(asked) + 1 >= steps, checkpoint=path)
        # The process that goes on has another past than the one that stopped.
        torch.manual_seed(at)
        assert bits(train(wanted, checkpoint=path)) == expected
        path.unlink()


def test_batch_norm_statistics_are_part_of_the_checkpoint(tmp_path):
    wanted = spec("cnn", "adamw", seed=0).model_copy(update={"steps": 30, "eval_every": 10})
    path = tmp_path / "run.checkpoint"
    asked = iter(range(100))
    with pytest.raises(Stopped):
        train(wanted, lambda: next(asked) >= 12, checkpoint=path)
    assert bits(train(wanted, checkpoint=path)) == bits(train(wanted))


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"no archive"])
def test_a_damaged_checkpoint_is_none(tmp_path, damage):
    wanted = spec(TINY, "adam", seed=0)
    path = tmp_path / "run.checkpoint"
    training = Training(wanted)
    training.advance()
    Checkpoint(path).save(training)
    assert Checkpoint(path).restore(Training(wanted))
    path.write_bytes(damage(path.read_bytes()))
    assert not Checkpoint(path).restore(Training(wanted))
    assert bits(train(wanted, checkpoint=path)) == bits(train(wanted))


def test_a_checkpoint_of_another_spec_is_none(tmp_path):
    path = tmp_path / "run.checkpoint"
    training = Training(spec(TINY, "adam", seed=0))
    training.advance()
    Checkpoint(path).save(training)
    assert not Checkpoint(path).restore(Training(spec(TINY, "adam", seed=1)))


def command(*words):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    return subprocess.Popen(
        [sys.executable, "-m", "adamas.lab", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(find, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := find():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def children_of(pid):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listing.stdout.split()]


def workers_of(pid):
    """Processes forked by the server that the program started; multiprocessing's resource tracker is a child, too."""
    servers = [child for child in children_of(pid) if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return [worker for server in servers for worker in children_of(server)]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds workers in /proc")
def test_killed_twice_in_the_middle_of_a_run_it_goes_on_to_the_same_bits(tmp_path):
    """First a worker is killed, then the program itself."""
    words = ["run", "lab_workloads:Slow", "--optimizer", "adam", "--runs-dir", tmp_path]
    steps = [0]
    for victim in ("worker", "program"):
        process = command(*words)
        try:
            # A checkpoint that is further than the last process came shows that this one has gone on from it.
            wait_for(lambda: checkpointed(tmp_path) > steps[-1])
            [worker] = workers_of(process.pid)
            os.kill(worker if victim == "worker" else process.pid, signal.SIGKILL)
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
        # Whichever was killed, the other leaves.
        assert wait_for(lambda gone=worker: not Path(f"/proc/{gone}").is_dir())
        assert not list(tmp_path.glob("*.json"))
        assert "Traceback" not in stderr
        if victim == "worker":
            assert process.returncode == 1
            assert "a worker process died" in stderr
        steps.append(checkpointed(tmp_path))

    last = command(*words)
    _, stderr = last.communicate(timeout=120)
    assert last.returncode == 0, stderr
    [file] = tmp_path.iterdir()
    assert file.suffix == ".json"
    assert bits(RunStore(tmp_path).all()[0].result) == bits(train(spec("lab_workloads:Slow", "adam", seed=0)))


def checkpointed(folder):
    """Steps in the checkpoint of the only run under way."""
    files = list(folder.glob("*.checkpoint"))
    return torch.load(files[0], weights_only=True)["step"] if files else 0
