import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamas.lab.analysis import Crossing, Summary
from adamas.lab.profiles import Profile, profiles

RATIOS = st.dictionaries(st.text(min_size=1), st.floats(1, 100) | st.just(math.inf), min_size=1)


def summary(workload, optimizer, steps):
    return Summary(workload, optimizer, 0.1, (), tuple(Crossing(step, step) for step in steps))


def test_ratios_are_to_the_best_of_each_workload():
    found = profiles(
        [
            summary("mlp", "adam", [100, 120, 140]),
            summary("mlp", "sgd", [240, 240, 300]),
            summary("cnn", "adam", [math.inf] * 3),
            summary("cnn", "sgd", [50, 50, 50]),
            summary("rbm", "adam", [math.inf] * 3),  # nobody gets there: it tells nothing
            summary("rbm", "sgd", [math.inf] * 3),
        ]
    )
    assert {each.optimizer: dict(each.ratios) for each in found} == {
        "adam": {"mlp": 1.0, "cnn": math.inf},
        "sgd": {"mlp": 2.0, "cnn": 1.0},
    }
    assert [each.optimizer for each in found] == ["sgd", "adam"]


def test_an_optimizer_that_was_not_run_everywhere_has_no_profile():
    found = profiles([summary("mlp", "adam", [10]), summary("cnn", "adam", [10]), summary("cnn", "sgd", [10])])
    assert [each.optimizer for each in found] == ["adam"]
    assert profiles([]) == []


@given(RATIOS)
def test_the_score_is_the_area_under_the_profile(ratios):
    profile = Profile("adam", ratios)
    grid = [1 + 3 * (at + 0.5) / 200 for at in range(200)]
    assert profile.score == pytest.approx(sum(map(profile.share, grid)) / 200, abs=0.5 / 200 + 1e-9)
    assert 0 <= profile.score <= 1
