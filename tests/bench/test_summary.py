"""Medians, intervals, GB/s and bars from times that are made up."""

import pytest

from adamas.lab.bench.cases import P1
from adamas.lab.bench.measure import MEMORY, CaseRun, Lane
from adamas.lab.bench.summary import ratio_of_medians, summarize


class Nobody:
    name = "nobody"

    def ask(self, **request):
        raise AssertionError(request)


def lane(name, *seconds):
    return Lane(name, Nobody(), seconds=list(seconds))


def run(*lanes, elements=1_000_000):
    made = CaseRun(P1, P1.shapes(False), list(lanes))
    made.memory = [lane("copy", 1e-3, 1e-3), lane("triad", 1e-3, 1e-3), lane("triad in place", 5e-4, 2e-3)]
    made.facts = {one.name: {"traffic": {"param": 4, "grad": 4, "state": 8}} for one in lanes}
    made.facts[MEMORY] = {"elements": elements}
    return made


def test_ratio_of_medians_ignores_an_outlier():
    assert ratio_of_medians([2.0, 2.0, 90.0], [1.0, 1.0, 1.0]).value == 2.0


def test_interval_holds_the_ratio_and_is_reproducible():
    over, under = [1.1, 1.3, 1.2, 1.15, 1.4], [1.0, 1.1, 0.9, 1.05, 1.0]
    ratio = ratio_of_medians(over, under)
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.low < ratio.high
    assert ratio == ratio_of_medians(over, under)


def test_noise_that_hits_both_does_not_widen_the_interval():
    noise = [1.0, 5.0, 1.5, 3.0, 1.2, 2.0, 9.0]
    paired = ratio_of_medians([2 * t for t in noise], noise)
    assert (paired.low, paired.high) == (2.0, 2.0)


def test_an_interrupted_round_is_left_out_of_the_ratio():
    assert ratio_of_medians([2.0, 2.0, 8.0], [1.0, 1.0]).value == 2.0


def test_rounds_of_one_start_count_as_alike():
    over, under = [4.0] * 10 + [2.0] * 10 + [3.0] * 10, [1.0] * 30
    apart, alike = ratio_of_medians(over, under), ratio_of_medians(over, under, rounds=10)
    assert (apart.value, alike.value) == (3.0, 3.0)
    assert (alike.low, alike.high) == (2.0, 4.0)
    assert apart.high - apart.low < alike.high - alike.low


def test_starts_of_an_interrupted_run_are_counted():
    made = run(lane("adamas", *[1.0] * 5), lane("torch-fused", *[1.0] * 5))
    made.rounds = 2
    assert (summarize(made).rounds, summarize(made).starts) == (5, 3)


def test_gigabytes_and_share():
    result = summarize(run(lane("adamas", 0.028, 0.028), lane("torch-fused", 0.056, 0.056)))
    adamas, torch = result.contenders
    assert adamas.gbps == pytest.approx(33.5)
    assert [kernel.gbps for kernel in result.limits] == pytest.approx([8.0, 12.0, 9.6])
    assert [kernel.gbps_with_write_allocate for kernel in result.limits] == pytest.approx([12.0, 16.0, 9.6])
    assert result.limit_gbps == pytest.approx(12.0)
    assert adamas.share == pytest.approx(33.5 / 12)
    assert (torch.ratio.value, torch.fastest_ms) == (2.0, 56.0)


@pytest.mark.parametrize(("torch", "met"), [(0.028, True), (0.027, False)])
def test_bar_is_judged(torch, met):
    assert summarize(run(lane("adamas", 0.028), lane("torch-fused", torch))).bar.met is met


@pytest.mark.parametrize(("torch", "close"), [([0.02, 0.027, 0.04], True), ([0.04, 0.04, 0.05], False)])
def test_a_bar_inside_the_interval_is_close(torch, close):
    result = summarize(run(lane("adamas", 0.028, 0.028, 0.028), lane("torch-fused", *torch)))
    assert result.bar.close is close


def test_quick_sizes_are_not_judged():
    result = summarize(run(lane("adamas", 1.0), lane("torch-fused", 1.0)), quick=True)
    assert (result.bar.met, result.bar.measured is None) == (None, False)


def test_without_the_base_the_first_one_measured_is_it():
    result = summarize(run(lane("torch-fused", 1.0), lane("torch-loop", 3.0)))
    assert (result.base, result.contenders[1].ratio.value) == ("torch-fused", 3.0)
    assert (result.bar.measured, result.bar.met) == (None, None)


def test_nothing_measured_is_a_result_too():
    result = summarize(run(lane("adamas")))
    assert (result.contenders, result.base, result.rounds) == ([], None, 0)
