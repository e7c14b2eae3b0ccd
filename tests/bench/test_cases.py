"""The cases: their tensors, their bars, their contenders."""

import math
from collections import Counter

import pytest

from adamas.lab.bench.cases import CASES, Bar, resnet152_backbone
from adamas.lab.bench.contenders import adapter_of, choose
from adamas.lab.bench.summary import Traffic

every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@every_case
def test_names_are_unique_and_base_and_bar_are_contenders(case):
    names = [entry.name for entry in case.entries]
    assert Counter(names).most_common(1)[0][1] == 1
    assert {case.base, case.bar.over, case.bar.under} <= set(names)


@every_case
def test_every_entry_has_an_adapter(case):
    assert all(adapter_of(entry).target.count(":") == 1 for entry in case.entries)


@every_case
def test_quick_is_small(case):
    assert sum(math.prod(shape) for shape in case.shapes(True)) < 500_000


def test_sizes():
    sizes = {key: (len(c.shapes(False)), sum(map(math.prod, c.shapes(False)))) for key, c in CASES.items()}
    assert sizes == {
        "P1": (1, 33_500_000),
        "P2": (1000, 1000 * 64 * 64),
        "P3": (1, 33_500_000),
        "P4": (1, 33_500_000),
        "P5": (1, 33_500_000),
        "P6": (1, 64_000_000),
        "P7": (1, 33_500_000),
        "P9": (465, 58_143_808),
    }


def test_resnet152_has_155_convolutions_and_two_vectors_for_each():
    ranks = Counter(len(shape) for shape in resnet152_backbone())
    assert ranks == {4: 155, 1: 310}


@pytest.mark.parametrize(
    ("param", "grad", "state", "moved"),
    [
        pytest.param(4, 4, 8, 28, id="AdamW float32"),
        pytest.param(2, 2, 8, 22, id="bfloat16, moments float32"),
        pytest.param(2, 2, 4, 14, id="bfloat16, moments bfloat16"),
        pytest.param(4, 4, 2 + 8 / 256, 16 + 16 / 256, id="8-bit moments, a float32 scale per 256"),
    ],
)
def test_bytes_moved(param, grad, state, moved):
    assert Traffic(param, grad, state).moved == moved


def test_documented_traffic_ends_with_the_formulas_number():
    assert CASES["P1"].traffic.endswith(f"{Traffic(4, 4, 8).moved}")
    assert f"{Traffic(2, 2, 8).moved} " in CASES["P3"].traffic
    touched = CASES["P6"].touched
    assert touched is not None
    assert CASES["P6"].traffic.endswith(f"{Traffic(4, 4, 8, touched / 1e6).moved:.2f}")
    assert f"{Traffic(4, 4 * CASES['P7'].grad_reads, 8).moved} " in CASES["P7"].traffic


@pytest.mark.parametrize(("bar", "ratio", "met"), [((3.0, None), 2.99, False), ((None, 1.1), 1.1, True)])
def test_bar(bar, ratio, met):
    assert Bar("a", "b", *bar).met(ratio) is met


@pytest.mark.parametrize(
    ("peers", "names"),
    [
        (["torch"], ["torch-fused", "torch-foreach", "torch-loop"]),
        (["torch-loop", "adamas-reference"], ["torch-loop", "adamas-reference"]),
        (["torchao"], ["torchao-8bit"]),
        (["my.optim:AdamW"], ["my.optim:AdamW"]),
    ],
)
def test_choose(peers, names):
    assert [entry.name for entry in choose(CASES["P1"], peers)] == names


def test_without_peers_everyone_is_chosen():
    assert choose(CASES["P9"], None) == list(CASES["P9"].entries)
