"""One run over two real processes with gloo: the same descent as in one process, up to rounding."""

import pytest

from adamas.lab.compare import spec
from adamas.lab.errors import LabError
from adamas.lab.spread import train_spread
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


@pytest.mark.parametrize(
    ("strategy", "devices", "said"),
    [("dpp", 2, "no strategy is called 'dpp'"), ("", 2, "needs a --strategy"), ("ddp", 5, "can't be divided among 5")],
)
def test_what_can_not_be_spread(strategy, devices, said):
    with pytest.raises(LabError, match=said):
        train_spread(spec(PLAIN, "adam", 0).model_copy(update={"strategy": strategy, "devices": devices}))
