"""Rules: the language, the printed C++, and rules of one's own."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch

import adamas
from adamas.rules import COMPILED, cpp, lerp, maximum, sign, sqrt
from adamas.rules.language import trace


def test_printed_header_is_current() -> None:
    assert cpp.HEADER.read_text(encoding="utf-8") == cpp.print_header(), "run python -m adamas.rules.cpp"
    assert cpp.main(["--check"]) == 0


def test_scalar_expressions_are_refused() -> None:
    with pytest.raises(TypeError, match=r"compute it in scalars\(\)"):
        trace(lambda g, c: (1 - c.beta) * g, (), ("beta",))


def test_unknown_scalar_is_named() -> None:
    with pytest.raises(AttributeError, match="no 'betta'; it gives beta"):
        trace(lambda g, c: c.betta * g, (), ("beta",))


def test_wrong_number_of_slots_is_refused() -> None:
    with pytest.raises(TypeError, match="1 new slots, it returned 0"):
        trace(lambda g, m, c: g, ("m",), ())


@pytest.mark.parametrize("rule", COMPILED, ids=lambda rule: rule.__name__)
def test_every_rule_says_its_formula_and_source(rule: type[adamas.Rule]) -> None:
    assert "=" in (rule.__doc__ or "") or "Adam with" in (rule.__doc__ or "")
    module = __import__(rule.__module__, fromlist=["_"])
    assert any(year in (module.__doc__ or "") + (rule.__doc__ or "") for year in map(str, range(1951, 2026)))


def test_words_on_hard_values() -> None:
    x = torch.tensor([math.nan, -0.0, 2.0])
    assert maximum(x, torch.tensor([1.0, -1.0, math.nan])).isnan().tolist() == [True, False, True]
    assert maximum(x, 0.0).isnan().tolist() == [True, False, False]
    assert sign(x).tolist() == [0.0, 0.0, 1.0]
    assert lerp(torch.tensor([1e8]), torch.tensor([1e-8]), 1.0).item() == torch.tensor(1e-8).item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_sqrt_is_correctly_rounded(dtype: torch.dtype) -> None:
    # torch.sqrt is not, on CPUs where it comes from MKL's vector library.
    numpy = pytest.importorskip("numpy")
    torch.manual_seed(0)
    x = torch.rand(100_000, dtype=dtype) ** 5
    assert (sqrt(x).numpy() == numpy.sqrt(x.numpy())).all()
    assert sqrt(torch.tensor([-1.0, 0.0, math.inf], dtype=dtype)).isnan().tolist() == [True, False, False]


class Sign(adamas.Rule):
    """u = lr sign(m), m = beta m + (1 - beta) g; with a slot, a counter and defaults of its own."""

    defaults: ClassVar = {"lr": 0.5, "beta": 0.5}
    slots = (adamas.Slot("mean"),)

    @staticmethod
    def scalars(h, t):
        return {"lr": h.lr / t, "beta": h.beta, "take": 1 - h.beta}

    @staticmethod
    def update(g, m, c):
        m = c.beta * m + c.take * g
        return c.lr * sign(m), m


def test_a_rule_of_ones_own() -> None:
    p = torch.nn.Parameter(torch.zeros(3))
    optimizer = adamas.Optimizer([{"params": [p], "beta": 0.0}], Sign, lr=1.0, weight_decay=0.0)
    for _ in range(2):
        p.grad = torch.tensor([1.0, -2.0, 0.0])
        optimizer.step()
    assert p.tolist() == [-1.5, 1.5, 0.0]
    assert optimizer.state[p]["step"].item() == 2.0


def test_a_rule_of_ones_own_is_not_compiled() -> None:
    p = torch.nn.Parameter(torch.zeros(3))
    p.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="the rule Sign is not compiled"):
        adamas.Optimizer([("w", p)], Sign, engine="cpu").step()


def test_unknown_hyper_parameter_names_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'beta'"):
        adamas.Optimizer([torch.nn.Parameter(torch.zeros(3))], Sign, betta=0.1)


def test_rules_are_not_instantiated() -> None:
    with pytest.raises(TypeError, match="pass the class itself"):
        Sign()
