import math

import pytest

from adamas.lab.tune import next_rate, score, search, worth


@pytest.mark.parametrize("trials", [3, 5, 9])
@pytest.mark.parametrize("optimum", [1e-6, 3e-3, 50.0])
def test_every_optimizer_gets_the_same_number_of_trials(trials, optimum):
    def evaluate(pairs):
        return [abs(math.log(rate / optimum)) for _, rate in pairs]

    tried = search(["sgd", "adam", "lion"], trials, evaluate)
    assert [len(scores) for scores in tried.values()] == [trials] * 3


def test_the_search_leaves_the_first_grid_when_the_optimum_is_outside():
    tried = search(["sgd"], 9, lambda pairs: [abs(math.log(rate / 9.0)) for _, rate in pairs])["sgd"]
    best = min(tried, key=lambda rate: tried[rate])
    assert 5 < best < 16
    assert max(tried) > best


def test_a_rate_is_never_tried_twice():
    scores = {0.01: 2.0, 0.011: 1.0, 0.012: 1.5, 0.1: 3.0}
    assert next_rate(scores) not in scores


def test_diverged_runs_score_worst(make_runs):
    run = make_runs(optimizers=("sgd",), seeds=1)[0]
    assert math.isfinite(score(run))
    last = run.result.points[-1].model_copy(update={"train_loss": math.nan})
    result = run.result.model_copy(update={"points": (*run.result.points[:-1], last)})
    assert score(run.model_copy(update={"result": result})) == math.inf


def test_a_setting_that_diverges_is_worth_as_much_as_not_training(make_runs):
    runs = make_runs(optimizers=("sgd",), seeds=3)
    start = math.log(runs[0].result.points[0].train_loss)
    assert worth(runs) < start
    broken = []
    for run in runs:
        last = run.result.points[-1].model_copy(update={"train_loss": math.inf})
        result = run.result.model_copy(update={"points": (*run.result.points[:-1], last)})
        broken.append(run.model_copy(update={"result": result}))
    assert worth(broken) == pytest.approx(start, rel=0.05)
    assert worth([*runs[:2], broken[2]]) < start
