import math
from statistics import fmean

import pytest
from scipy.stats import qmc

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


@pytest.mark.parametrize("trials", [7, 9])
def test_of_few_trials_the_search_makes_more_than_quasi_random_points(trials):
    """Why it is kept for budgets under ten."""

    def regret(rate, optimum):
        # As measured curves are: flat around the best rate, steep towards divergence, then as bad as can be.
        decades = math.log10(rate / optimum)
        return 3.5 if decades > 1.2 else decades**2 * (0.35 if decades < 0 else 1.4)

    ours, theirs = [], []
    for shift in range(-6, 7):
        optimum = 0.003 * 10 ** (shift / 4)
        tried = search(["adam"], trials, lambda pairs, best=optimum: [regret(rate, best) for _, rate in pairs])
        ours.append(min(tried["adam"].values()))
        for seed in range(8):
            points = qmc.Sobol(1, rng=seed).random(16)[:trials, 0]
            theirs.append(min(regret(0.003 / 30 * 900 ** float(point), optimum) for point in points))
    assert fmean(ours) < fmean(theirs) / 3
    assert max(ours) < max(theirs)
