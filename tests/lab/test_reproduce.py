import html
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from adamas.lab import optimizers, reproduce
from adamas.lab.cli import app
from adamas.lab.environment import environment
from adamas.lab.errors import LabError
from adamas.lab.reproduce import adamw, fig4
from adamas.lab.reproduce.claims import Ahead, Alike, Sooner, average_cost
from adamas.lab.reproduce.evidence import Evidence, gather
from adamas.lab.reproduce.figure import OWN, SEARCH_SEED, Arm, Figure, Outcome, Trained
from adamas.lab.reproduce.runner import MOST_WIDENING, run
from adamas.lab.results import Point, Result, Run
from adamas.lab.spec import RunSpec


def a_run(costs, seed=0, lr=0.1, optimizer="adam", metric=0.9):
    """A run with the given train losses, one a step."""
    spec = RunSpec(
        workload="lab_workloads:Tiny",
        optimizer=optimizer,
        hyperparameters={"lr": lr},
        seed=seed,
        steps=len(costs) - 1,
        batch_size=32,
        eval_every=1,
    )
    points = tuple(
        Point(
            step=step,
            examples=0,
            seconds=step,
            cpu_seconds=step,
            optimizer_seconds=0,
            train_loss=cost,
            test_metric=metric,
        )
        for step, cost in enumerate(costs)
    )
    result = Result(points=points, parameters=1, state_bytes=0, optimizer_step_seconds=1)
    return Run(spec=spec, result=result, environment=environment())


def an_outcome(**arms):
    """An outcome in which every arm has the given curves, one a seed."""
    best = {
        name: Trained(0.1, tuple(a_run(curve, seed) for seed, curve in enumerate(each))) for name, each in arms.items()
    }
    return Outcome((0.1,), {(name, 0.1): trained.runs for name, trained in best.items()}, best)


def a_figure(**changed):
    values = {
        "name": "tiny",
        "title": "A tiny figure",
        "source": "nobody",
        "shows": "nothing",
        "workload": "lab_workloads:Tiny",
        "arms": (Arm("adam", "Adam", "adam"), Arm("sgd", "SGD", "sgd")),
        "rates": (0.01, 0.1, 1.0),
        "epochs": 1,
        "batch_size": 128,
        "evaluations": 5,
        "claims": (Ahead("adam", "sgd", "Adam is ahead of SGD"),),
        "deviations": ("It is tiny.",),
    }
    return Figure(**{**values, **changed})


# The optimizers


def steps_of(optimizer_of, decay, count=12):
    generator = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(7, generator=generator, dtype=torch.float64))
    optimizer = optimizer_of([parameter])
    schedule = decay(optimizer) if decay else None
    for _ in range(count):
        parameter.grad = torch.randn(7, generator=generator, dtype=torch.float64)
        optimizer.step()
        if schedule:
            schedule.step()
    return parameter.detach()


@pytest.mark.parametrize(
    ("name", "peer", "values"),
    [
        ("DecayedAdam", torch.optim.Adam, {}),
        ("DecayedAdagrad", torch.optim.Adagrad, {}),
        ("DecayedNesterov", torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_a_decayed_rate_is_that_of_torchs_scheduler(name, peer, values):
    ours = steps_of(lambda parameters: optimizers.build(f"{OWN}:{name}", {"lr": 0.1}, parameters, "cpu"), None)
    theirs = steps_of(
        lambda parameters: peer(parameters, lr=0.1, **values),
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / math.sqrt(step + 1)),
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_without_correction_the_moments_are_as_they_are():
    beta1, beta2, lr = 0.9, 0.9999, 0.01
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(7, generator=generator, dtype=torch.float64)
    m = v = torch.zeros(7, dtype=torch.float64)
    for _ in range(12):
        g = torch.randn(7, generator=generator, dtype=torch.float64)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        x = x - lr * m / (v.sqrt() + 1e-8)
    values = {"lr": lr, "betas": (beta1, beta2)}
    ours = steps_of(lambda parameters: optimizers.build(f"{OWN}:UncorrectedAdam", values, parameters, "cpu"), None)
    torch.testing.assert_close(ours, x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rate", [1e-3, 1e-1])
def test_decay_apart_from_the_rate_shrinks_by_the_same_share_a_step(rate):
    arm = next(arm for arm in adamw.FIGURE.arms if arm.name == "decoupled 0.01")
    parameter = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = optimizers.build(arm.optimizer, arm.hyperparameters(rate), [parameter], "cpu")
    for _ in range(5):
        parameter.grad = torch.zeros(3, dtype=torch.float64)
        optimizer.step()
    torch.testing.assert_close(parameter.detach(), torch.full((3,), 0.99**5, dtype=torch.float64))


# The runner


def landscape(best_rates):
    """Costs that are least at a known learning rate of each optimizer; and the specs that were asked for."""
    asked = []

    def collect(specs):
        asked.extend(specs)
        costs = [math.exp(abs(math.log10(s.hyperparameters["lr"] / best_rates[s.optimizer]))) for s in specs]
        return [
            a_run([9.0, cost], s.seed, s.hyperparameters["lr"], s.optimizer)
            for s, cost in zip(specs, costs, strict=True)
        ]

    return collect, asked


def test_the_grid_grows_for_all_until_no_best_is_an_edge():
    collect, asked = landscape({"adam": 0.001, "sgd": 1.0})
    outcome = run(a_figure(), collect)
    assert outcome.rates == (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
    assert {name: trained.rate for name, trained in outcome.best.items()} == {"adam": 0.001, "sgd": 1.0}
    tried = {
        name: sorted({s.hyperparameters["lr"] for s in asked if s.optimizer == name and s.seed >= SEARCH_SEED})
        for name in ("adam", "sgd")
    }
    assert tried["adam"] == tried["sgd"] == list(outcome.rates)


def test_the_judged_seeds_are_no_seeds_of_the_search():
    collect, asked = landscape({"adam": 0.1, "sgd": 0.1})
    outcome = run(a_figure(seeds=4), collect)
    assert [[each.spec.seed for each in trained.runs] for trained in outcome.best.values()] == [[0, 1, 2, 3]] * 2
    assert {s.seed for s in asked} == {0, 1, 2, 3, SEARCH_SEED, SEARCH_SEED + 1}
    assert len(asked) == len({s.run_id for s in asked})


def test_a_best_rate_that_is_nowhere_stops_the_growth_and_is_said_to_be_an_edge():
    collect, _ = landscape({"adam": 1e9, "sgd": 0.1})
    figure = a_figure()
    outcome = run(figure, collect)
    assert len(outcome.rates) == len(figure.rates) + MOST_WIDENING
    evidence = gather(figure, outcome, "adamas reproduce tiny")
    assert {curve.arm: curve.edge for curve in evidence.curves} == {"adam": True, "sgd": False}


def test_a_figure_that_is_a_grid_trains_all_of_it_on_the_judged_seeds():
    collect, asked = landscape({"adam": 0.1, "sgd": 1e9})
    arms = (Arm("good", "good", "adam", panel="one"), Arm("bad", "bad", "sgd", panel="one"))
    outcome = run(a_figure(arms=arms, whole_grid=True), collect)
    # The best of the panel is no edge, wherever the best of its other arm is.
    assert outcome.rates == (0.01, 0.1, 1.0)
    assert len(asked) == 2 * 3 * 3
    assert {s.seed for s in asked} == {0, 1, 2}


# The claims

FAST, SLOW, MIXED = [[8.0, 1.0, 0.5]] * 2, [[8.0, 4.0, 2.0]] * 2, [[8.0, 0.5, 0.25], [8.0, 7.0, 7.0]]


@pytest.mark.parametrize(
    ("one", "other", "verdict"), [(FAST, SLOW, "holds"), (SLOW, FAST, "does not hold"), (FAST, MIXED, "undecided")]
)
def test_ahead(one, other, verdict):
    assert Ahead("a", "b", "").judge(an_outcome(a=one, b=other)).verdict == verdict


@pytest.mark.parametrize(
    ("one", "other", "verdict"), [(FAST, FAST, "holds"), (SLOW, FAST, "does not hold"), (FAST, MIXED, "does not hold")]
)
def test_alike(one, other, verdict):
    if other is MIXED:
        verdict, one = "undecided", [[8.0, 0.5, 0.25], [8.0, 1.0, 1.0]]
    assert Alike("a", "b", "").judge(an_outcome(a=one, b=other)).verdict == verdict


def test_sooner_is_about_the_steps_to_the_others_last_cost():
    claim = Sooner("a", "b", "", share=0.6)
    judged = claim.judge(an_outcome(a=[[8.0, 1.9, 1.0]] * 2, b=SLOW))
    assert (judged.verdict, judged.numbers["share of steps"]) == ("holds", (0.5, 0.5))
    assert claim.judge(an_outcome(a=[[8.0, 2.1, 1.0]] * 2, b=SLOW)).verdict == "does not hold"
    assert claim.judge(an_outcome(a=[[8.0, 5.0, 3.0]] * 2, b=SLOW)).numbers["share of steps"] == (math.inf, math.inf)


def test_what_diverged_is_never_ahead():
    diverged = [[8.0, 1e-3, math.nan]] * 2
    assert average_cost(a_run(diverged[0])) == math.inf
    assert Ahead("a", "b", "").judge(an_outcome(a=diverged, b=SLOW)).verdict == "does not hold"


def bias_outcome(harm):
    """Costs with and without correction, the second higher by a factor that depends on beta2."""
    best, grid = {}, {}
    for arm in fig4.FIGURE.arms:
        betas = arm.settings["betas"]
        assert isinstance(betas, tuple)
        _, beta2 = betas
        factor = harm(beta2) if arm.name.startswith("without") else 1.0
        runs = tuple(a_run([50.0, *[20.0 * factor * (1 + seed / 1000)] * 20], seed) for seed in range(3))
        grid[arm.name, 0.1], best[arm.name] = runs, Trained(0.1, runs)
    return Outcome((0.1,), grid, best)


@pytest.mark.parametrize(
    ("harm", "verdicts"),
    [
        (lambda beta2: 1 + 0.0002 / (1 - beta2) / 10, ["holds", "holds", "holds", "holds"]),
        (lambda beta2: 1.0, ["holds", "holds", "does not hold", "undecided"]),
        (lambda beta2: 0.9, ["does not hold", "does not hold", "does not hold", "undecided"]),
    ],
)
def test_bias_correction(harm, verdicts):
    outcome = bias_outcome(harm)
    assert [claim.judge(outcome).verdict for claim in fig4.FIGURE.claims] == verdicts


def decay_outcome(l2_error, decoupled_error):
    """Test errors as functions of the decades of learning rate and decay."""
    rates, grid, best = adamw.FIGURE.rates, {}, {}
    for arm in adamw.FIGURE.arms:
        error = l2_error if arm.name.startswith("L2") else decoupled_error
        decay = 4 + math.log10(float(arm.label)) + (1 if error is decoupled_error else 0)
        for rate in rates:
            place = math.log10(rate / rates[2]) * 2
            run = a_run([1.0, 1.0], lr=rate, metric=1 - error(place, decay - 1))
            grid[arm.name, rate] = (run,)
        best[arm.name] = Trained(rates[0], grid[arm.name, rates[0]])
    return Outcome(rates, grid, best)


def test_a_diagonal_and_a_straight_basin_are_told_apart():
    def diagonal(rate, decay):
        return 0.1 + 0.05 * abs(rate + decay)

    def straight(rate, decay):
        return 0.05 + 0.05 * math.hypot(rate, decay)

    claims = adamw.FIGURE.claims
    assert [claim.judge(decay_outcome(diagonal, straight)).verdict for claim in claims] == ["holds"] * 4
    assert [claim.judge(decay_outcome(straight, diagonal)).verdict for claim in claims] == ["does not hold"] * 4


# The figures


@pytest.mark.parametrize("name", reproduce.FIGURES)
def test_a_figure_is_whole(name):
    figure = reproduce.load(name)
    names = [arm.name for arm in figure.arms]
    assert figure.name == name
    assert len(set(names)) == len(names)
    assert figure.seeds >= 3
    assert figure.deviations
    for claim in figure.claims:
        assert claim.sentence
        for role in ("ahead", "behind", "one", "other", "sooner", "later"):
            assert getattr(claim, role, names[0]) in names
    for arm in figure.arms:
        optimizers.check(arm.optimizer, arm.hyperparameters(figure.rates[0]))
    factors = [b / a for a, b in pairwise(figure.rates)]
    assert max(factors) / min(factors) < 1.2  # equal but for rounding


def test_an_unknown_figure_is_one_clear_line():
    with pytest.raises(LabError, match="did you mean 'fig1a'"):
        reproduce.load("fig1aa")


@pytest.mark.usefixtures("one_worker")
def test_reproduce_writes_the_same_evidence_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("adamas.lab.commands.reproduce.load", lambda name: a_figure(search_seeds=1))

    def made(out, *more):
        words = ["reproduce", "fig1a", "--out", tmp_path / out, "--runs-dir", tmp_path / "runs", *more]
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        assert "Adam is ahead of SGD" in result.stdout.replace("\n", " ").replace("  ", " ")
        return json.loads((tmp_path / out / "tiny.json").read_text("utf-8"))

    first, second = made("first"), made("second", "--fresh")
    assert {**first, "cpu_seconds": 0} == {**second, "cpu_seconds": 0}
    evidence = Evidence.model_validate(first)
    assert evidence.runs == len(evidence.rates) * 2 + 2 * 3
    page = (tmp_path / "first" / "index.html").read_text("utf-8")
    assert evidence.judged[0].reading in page.replace("&#39;", "'")
    assert "It is tiny." in page


EVIDENCE = sorted((Path(__file__).parents[2] / "docs" / "evidence").glob("*.json"))


@pytest.mark.parametrize("file", EVIDENCE, ids=lambda file: file.stem)
def test_the_evidence_in_the_docs_is_of_the_figures_in_the_code(file):
    evidence = Evidence.model_validate_json(file.read_text("utf-8"))
    figure = reproduce.load(evidence.figure)
    assert evidence.figure == file.stem
    assert [each.claim for each in evidence.judged] == [claim.sentence for claim in figure.claims]
    assert evidence.deviations == figure.deviations
    assert (evidence.epochs, evidence.seeds, evidence.batch_size) == (figure.epochs, figure.seeds, figure.batch_size)
    assert set(figure.rates) <= set(evidence.rates)
    page = (file.parent / "index.html").read_text("utf-8")
    assert all(html.escape(each.reading, quote=False) in page for each in evidence.judged)
