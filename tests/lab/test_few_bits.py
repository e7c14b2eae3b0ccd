"""Final losses with few bits: what they are judged by, and the command that shows them."""

import math

import pytest
import torch
from typer.testing import CliRunner

from adamas.lab.cli import app
from adamas.lab.compare import spec
from adamas.lab.environment import environment
from adamas.lab.errors import LabError
from adamas.lab.few_bits import FLOAT32, WAYS, final_loss, outcomes, specs
from adamas.lab.results import Point, Result, Run
from adamas.lab.streams import initialized_model
from adamas.lab.train import train
from adamas.lab.workloads import load


def result(losses):
    points = [
        Point(step=10 * at, examples=0, seconds=0, cpu_seconds=0, optimizer_seconds=0, train_loss=loss, test_metric=0.5)
        for at, loss in enumerate(losses)
    ]
    return Result(points=tuple(points), parameters=10, state_bytes=35, optimizer_step_seconds=0)


def test_a_final_loss_is_the_median_of_the_last_fifth():
    assert final_loss(result([9.0] * 9 + [1.0, 5.0])) == 3.0  # of steps 0 to 100 those after 80
    assert final_loss(result([9.0, math.nan])) == math.inf


def test_outcomes_are_paired_by_seed_and_judged_by_the_spread():
    wanted = specs("cnn", 3)

    def runs(way, losses):
        return [
            Run(spec=each, result=result([loss] * 11), environment=environment())
            for each, loss in zip(wanted[way], losses, strict=True)
        ]

    same, inside, above = outcomes(
        {
            FLOAT32: runs(FLOAT32, [1.0, 2.0, 4.0]),
            "split24, int8": runs("split24, int8", [4.0, 2.0, 5.0]),
            "split24, int4": runs("split24, int4", [5.0, 6.0, 8.0]),
        }
    )
    assert (same.verdict, inside.verdict, above.verdict) == ("holds", "holds", "does not hold")
    assert (inside.ratio.low, inside.ratio.median, inside.ratio.high) == (1.0, 1.25, 4.0)
    assert inside.state_bytes == 3.5


def test_all_ways_start_at_the_same_weights_with_the_rate_of_float32():
    wanted = specs("chargpt", 2, steps=7)
    assert set(wanted) == set(WAYS)
    rate = load("chargpt").learning_rates["adamw"]
    for each in (one for seeds in wanted.values() for one in seeds):
        assert (each.hyperparameters["lr"], each.steps) == (rate, 7)
    whole, half = (initialized_model(load(name), seed=1) for name in ("chargpt", "chargpt@bfloat16"))
    for p, q in zip(whole.parameters(), half.parameters(), strict=True):
        assert q.dtype == torch.bfloat16
        assert torch.equal(p.bfloat16(), q)


@pytest.mark.parametrize("workload", ["cnn@bfloat16", "chargpt@bfloat16"])
def test_bfloat16_variants_learn_and_are_drawn(workload):
    steps = {"cnn@bfloat16": 60, "chargpt@bfloat16": 8}[workload]
    wanted = spec(workload, "adamw", 0, changed=WAYS["split24, int8"])
    done = train(wanted.model_copy(update={"steps": steps, "eval_every": steps}))
    first, last = done.points
    assert last.train_loss < 0.8 * first.train_loss
    assert done.pictures


def test_command(tmp_path):
    words = ["few-bits", "cnn", "--seeds", "2", "--steps", "20", "--workers", "1", "--runs-dir", str(tmp_path / "runs")]
    out = tmp_path / "losses.md"
    shown = CliRunner().invoke(app, [*words, "--out", str(out)], env={"COLUMNS": "160"})
    assert shown.exit_code == 0, shown.output
    text = out.read_text(encoding="utf-8")
    assert "`adamas few-bits cnn --seeds 2 --steps 20`" in text
    for way in WAYS:
        assert f"| {way} |" in text
        assert way in shown.output


def test_a_workload_without_the_variant_is_refused():
    with pytest.raises(LabError, match="no variant 'bfloat16'"):
        specs("dbn", 2)
