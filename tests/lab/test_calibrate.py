import math

import pytest

from adamas.lab.calibrate import candidates, choose, judge
from adamas.lab.results import Point


def curve(run, losses):
    """A run with other losses, one per evaluation."""
    points = tuple(
        Point(
            step=4 * at,
            examples=128 * at,
            seconds=at,
            cpu_seconds=at,
            optimizer_seconds=0,
            train_loss=loss,
            test_metric=0,
        )
        for at, loss in enumerate(losses)
    )
    spec = run.spec.model_copy(update={"steps": 4 * (len(losses) - 1)})
    return run.model_copy(update={"spec": spec, "result": run.result.model_copy(update={"points": points})})


@pytest.fixture
def runs(make_runs):
    """Three optimizers whose losses fall at clearly different speeds, and are equal before and after."""
    [template] = make_runs(optimizers=("sgd",), seeds=1)

    def falling(speed, seed):
        return curve(template, [max(1e-3, 2.3 * math.exp(-speed * (1 + 0.02 * seed) * at)) for at in range(41)])

    return {name: [falling(speed, seed) for seed in range(3)] for name, speed in (("a", 0.3), ("b", 0.2), ("c", 0.12))}


def test_the_chosen_target_tells_all_of_them_apart(runs):
    best = choose(candidates(runs))
    assert best.index == 1.0
    assert best.reached == 3
    # Targets that everybody reaches at once, or nobody, tell nothing.
    assert judge(runs, 2.2).index < 1
    assert judge(runs, 1e-4).index == 0


def test_the_best_optimizer_is_at_the_target_by_the_share_it_was_taken_from(runs):
    """Three digits, but rounded up: rounded down, it would come later, and at the end of a run never."""
    for candidate in candidates(runs):
        best = runs["a"][1]  # of three seeds in order of speed, the median
        by = candidate.share * best.spec.steps
        assert any(point.train_loss <= candidate.target for point in best.result.points if point.step <= by)


def test_a_diverged_optimizer_does_not_set_the_target(runs):
    expected = [candidate.target for candidate in candidates(runs)]
    losses = [2.3, math.nan]
    runs["broken"] = [curve(runs["a"][0], losses) for _ in range(3)]
    assert [candidate.target for candidate in candidates(runs)] == expected
