import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adamas.lab.analysis import (
    HOLD,
    Band,
    Crossing,
    crossing,
    fewer,
    milestones,
    standings,
    summarize,
)
from adamas.lab.claims import judge

LOSSES = st.lists(st.floats(0, 10, allow_nan=False) | st.just(math.nan), min_size=1, max_size=30)
TARGETS = st.floats(0, 10)
STEPS = st.lists(st.floats(0, 1000) | st.just(math.inf), min_size=1, max_size=6)


def steps_of(losses):
    return [20 * index for index in range(len(losses))]


@given(LOSSES, TARGETS)
def test_a_lasting_crossing_is_never_before_the_first(losses, target):
    found = crossing(steps_of(losses), losses, target)
    assert found.first <= found.lasting


@given(LOSSES, TARGETS)
def test_the_first_crossing_holds_and_nothing_before_it_does(losses, target):
    steps = steps_of(losses)
    found = crossing(steps, losses, target)
    held = [step for step in steps[: 1 - HOLD] if all(loss <= target for loss in losses[step // 20 :][:HOLD])]
    assert found.first == min(held, default=math.inf)


@given(LOSSES, TARGETS)
def test_after_a_lasting_crossing_the_loss_stays(losses, target):
    steps = steps_of(losses)
    lasting = crossing(steps, losses, target).lasting
    after = [loss for step, loss in zip(steps, losses, strict=True) if step >= lasting]
    assert all(loss <= target for loss in after)
    if math.isfinite(lasting):
        assert len(after) >= HOLD
        assert lasting == 0 or not losses[lasting // 20 - 1] <= target


@given(LOSSES, TARGETS, TARGETS)
def test_a_harder_target_is_never_reached_sooner(losses, one, other):
    hard, easy = sorted((one, other))
    harder, easier = (crossing(steps_of(losses), losses, target) for target in (hard, easy))
    assert easier.first <= harder.first
    assert easier.lasting <= harder.lasting


@given(LOSSES, TARGETS)
def test_a_falling_loss_crosses_once(losses, target):
    falling = sorted((loss for loss in losses if not math.isnan(loss)), reverse=True)
    found = crossing(steps_of(falling), falling, target)
    assert found.first == found.lasting


def test_one_evaluation_under_the_target_is_not_enough():
    assert crossing([0, 10, 20, 30], [2, 0.1, 2, 0.1], 1) == Crossing(math.inf, math.inf)


@given(STEPS, STEPS)
def test_verdicts_are_antisymmetric(a, b):
    opposite = {"holds": "does not hold", "does not hold": "holds", "undecided": "undecided"}
    assert fewer(b, a) == opposite[fewer(a, b)]


@given(STEPS)
def test_nothing_is_ahead_of_itself(steps):
    assert fewer(steps, steps) == "undecided"


@given(st.lists(st.floats(), min_size=1))
def test_bands_are_ordered_and_never_nan(values):
    band = Band.over(values)
    assert band.low <= band.median <= band.high


def test_a_comparison_is_summarized_and_judged(make_runs):
    summaries = summarize(make_runs(optimizers=("sgd", "adam", "momentum"), seeds=3))
    assert [summary.optimizer for summary in summaries] == ["sgd", "adam", "momentum"]
    assert all(len(summary.runs) == 3 for summary in summaries)
    assert milestones(summaries[0]) == [0, 4, 12]
    assert {entry.claim.slower for entry in judge(summaries)} == {"sgd", "momentum"}


def with_crossings(summaries, firsts):
    """The summaries as if the seeds had crossed at the given steps."""
    return [
        type(summary)(
            summary.workload,
            summary.optimizer,
            summary.lr,
            summary.runs,
            tuple(Crossing(step, step) for step in steps),
        )
        for summary, steps in zip(summaries, firsts, strict=True)
    ]


@pytest.mark.parametrize(
    ("firsts", "expected"),
    [
        ([(10, 20), (30, 40), (50, 60)], ["first", "behind", "behind"]),
        ([(30, 40), (10, 30), (50, 60)], ["tied", "tied", "behind"]),
        ([(10, 20), (30, math.inf), (math.inf, math.inf)], ["first", "missed", "missed"]),
        ([(math.inf, math.inf)] * 3, ["missed"] * 3),
    ],
)
def test_standings(make_runs, firsts, expected):
    summaries = summarize(make_runs(optimizers=("sgd", "adam", "momentum")))
    places = standings(with_crossings(summaries, firsts))
    assert [places[name] for name in ("sgd", "adam", "momentum")] == expected


def test_a_diverged_run_counts_as_infinite(make_runs):
    summary = summarize(make_runs(optimizers=("sgd",), seeds=3))[0]
    run = summary.runs[0]
    broken = run.result.points[1].model_copy(update={"train_loss": math.nan})
    result = run.result.model_copy(update={"points": (run.result.points[0], broken)})
    changed = summarize([run.model_copy(update={"result": result}), *summary.runs[1:]])[0]
    assert changed.steps == [0, 4, 8, 12]
    assert changed.loss_at(4).high == changed.loss_at(12).high == math.inf
    assert math.isfinite(changed.loss_at(12).median)
    assert changed.test_metric.low == 0
