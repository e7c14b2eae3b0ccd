"""Score against budget, and the space that a budget is for."""

from itertools import combinations, pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamas.lab import optimizers, spaces
from adamas.lab.budget import best_after
from adamas.lab.errors import LabError
from adamas.lab.spaces import Dimension

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=8)


@given(SCORES, st.data())
def test_the_expectation_is_the_mean_over_all_subsets(scores, data):
    trials = data.draw(st.integers(1, len(scores)))
    best = [min(subset) for subset in combinations(scores, trials)]
    expected = best_after(scores, trials)
    assert expected.mean == pytest.approx(fmean(best), abs=1e-9)
    for share, value in ((0.1, expected.low), (0.9, expected.high)):
        assert sum(each <= value for each in best) >= share * len(best) - 1e-6
        assert sum(each < value for each in best) <= share * len(best) + 1e-6


@given(SCORES)
def test_more_trials_never_make_it_worse_and_all_of_them_give_the_best(scores):
    means = [best_after(scores, trials).mean for trials in range(1, len(scores) + 1)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(means))
    assert means[-1] == min(scores)


@pytest.mark.parametrize("name", list(optimizers.CATALOGUE))
def test_every_optimizer_takes_the_defaults_and_corners_of_its_largest_space(name):
    dimensions = spaces.space(name, 1000)
    for point in (
        spaces.defaults(name, dimensions),
        {each.name: each.low for each in dimensions},
        {each.name: each.high for each in dimensions},
    ):
        optimizers.check(name, optimizers.hyperparameters(name, changed=spaces.keywords(name, point)))


@pytest.mark.parametrize("name", list(optimizers.CATALOGUE))
def test_a_larger_budget_searches_no_less(name):
    names = [{each.name for each in spaces.space(name, budget)} for budget in (3, 10, 25, 100)]
    assert names[0] == {"lr"}
    assert all(smaller <= larger for smaller, larger in pairwise(names))


@given(st.floats(1e-9, 1e9))
def test_a_widened_range_has_the_best_inside(best):
    first = Dimension("lr", 1e-3, 1.0, widens=True)
    wider = first.widened(best)
    assert wider.low <= first.low < first.high <= wider.high
    assert wider.low < best < wider.high
    assert wider.widened(best) == wider


def test_the_preset_is_algoperfs_and_for_adamw():
    assert {each.name: (each.low, each.high) for each in spaces.space("adamw", 5, "algoperf")} == {
        "lr": (1e-4, 1e-2),
        "beta1": (0.02, 0.5),
        "weight_decay": (5e-3, 1.0),
    }
    with pytest.raises(LabError, match="sgd has no beta1"):
        spaces.space("sgd", 5, "algoperf")
    with pytest.raises(LabError, match="there are budget, algoperf"):
        spaces.space("adamw", 5, "algopref")
