"""The commands beside demo: what they print and keep, and what they say of mistakes."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adamas.lab.cli import app
from adamas.lab.errors import LabError
from adamas.lab.optimizers import entry
from adamas.lab.results import RunStore

TINY = "lab_workloads:Tiny"


def adamas(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="adamas")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "cmn"], ["'cmn'", "did you mean 'cnn'"]),
        (["compare"], ["either workloads or a --suite"]),
        (["compare", "mlp", "--suite", "quick"], ["either workloads or a --suite"]),
        (["compare", "--suite", "quik"], ["'quik'", "did you mean 'quick'"]),
        (["compare", "mlp", "--optimizers", "adm"], ["'adm'", "did you mean 'adam'"]),
        (["compare", "mlp", "--optimizers", "torch.optim:AdmW"], ["torch.optim:AdmW", "can't be loaded"]),
        (["compare", "mlp", "--optimizers", "torch.nn:Linear"], ["torch.nn:Linear", "no torch.optim.Optimizer"]),
        (["compare", "mlp", "--optimizers", "torch.optim:AdamW?esp=1"], ["no hyper-parameter 'esp'", "'eps'"]),
        (["run", "cmn"], ["'cmn'", "did you mean 'cnn'"]),
        (["run", "json:JSONDecoder"], ["'json:JSONDecoder' is no workload", "batch_size, data,", "Classification"]),
        (["run", "os:getcwd"], ["'os:getcwd' is no class"]),
        (["run", "mlp", "--set", "beta"], ["'beta'", "key=value"]),
        (["run", "mlp", "--set", "bets=0.9,0.99"], ["no hyper-parameter 'bets'", "did you mean 'betas'"]),
        (["run", "mlp", "--set", "eps=-1"], ["does not take", "eps=-1", "change the value"]),
        (["run", "mlp", "--set", "lr=0.1"], ["lr is no --set", "--lr 0.1"]),
        (["run", "mlp", "--strategy", "dpp", "--devices", "2"], ["'dpp'", "ddp, fsdp"]),
        (["run", "mlp", "--devices", "2"], ["needs a --strategy"]),
        (["run", "mlp", "--strategy", "ddp", "--devices", "2", "--cluster", "tcp://x"], ["leave out --cluster"]),
        (["tune", "cmn"], ["'cmn'"]),
        (["tune", "mlp", "--optimizers", "sgd", "--space", "algoperf"], ["sgd has no beta1"]),
        (
            ["tune", "mlp", "--budget", "10", "--storage", "postgresql://127.0.0.1:1/x"],
            ["can't reach the study storage"],
        ),
        (["calibrate", "mlp", "--optimizers", "adam"], ["at least two"]),
        (["batch", "mlp", "--sizes", "32,x"], ["'32,x'", "whole numbers"]),
        (["batch", "mlp", "--sizes", "100000"], ["larger than the", "training examples"]),
        (["run", "mlp", "--cluster", "tcp://127.0.0.1:1"], ["no Dask scheduler answers", "dask scheduler"]),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path, monkeypatch, words, said):
    monkeypatch.setattr("adamas.lab.cluster._PATIENCE", "0.2s")
    result = adamas(*words, "--runs-dir", tmp_path / "runs")
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 2
    for word in said:
        assert word in result.stderr
    assert not list(tmp_path.glob("runs/*.json"))


def test_reports_of_nothing(tmp_path):
    assert "no finished run" in adamas("report", tmp_path).stderr
    assert "no folder" in adamas("report", tmp_path / "none").stderr


@pytest.mark.parametrize("command", ["run", "compare", "calibrate", "tune", "batch", "report"])
def test_help_has_examples(command):
    result = adamas(command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout


@pytest.mark.usefixtures("one_worker")
def test_run_keeps_what_was_asked_for_and_report_shows_it(tmp_path):
    words = ["run", TINY, "--optimizer", "adam", "--lr", "0.02", "--set", "betas=0.8,0.99", "--seed", "5"]
    words += ["--steps", "20", "--batch-size", "16", "--runs-dir", tmp_path]
    result = adamas(*words)
    assert result.exit_code == 0, result.output
    [run] = RunStore(tmp_path).all()
    assert run.spec.hyperparameters == {"lr": 0.02, "betas": (0.8, 0.99)}
    assert (run.spec.seed, run.spec.steps, run.spec.batch_size) == (5, 20, 16)
    assert {each.name for each in run.result.internals} == {"1.weight", "1.bias"}
    assert "train loss" in result.stdout
    again = adamas(*words)
    assert "Was there already" in again.stdout
    report = adamas("report", tmp_path, "-o", tmp_path / "report.html")
    assert report.exit_code == 0, report.output
    assert run.spec.run_id in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("one_worker")
def test_a_diverged_run_is_said_to_be_one(tmp_path):
    result = adamas("run", TINY, "--optimizer", "sgd", "--lr", "1e38", "--runs-dir", tmp_path)
    assert result.exit_code == 1
    assert "diverged" in result.stderr
    assert "smaller --lr" in result.stderr


@pytest.mark.usefixtures("one_worker")
def test_compare_sets_another_packages_optimizer_beside_ours(tmp_path):
    """The same rule at the same rate takes the same steps, whoever wrote it."""
    words = ["compare", f"{TINY},lab_workloads:Plain", "--optimizers", "adam,torch.optim:Adam?lr=0.003,sgd"]
    words += ["--seeds", "1", "--runs-dir", tmp_path, "-o", tmp_path / "report.html"]
    result = adamas(*words)
    assert result.exit_code == 0, result.output
    for said in ("Verdicts", "Adam reaches the target in fewer steps than SGD", "within a factor", "torch Adam"):
        assert said in " ".join(result.stdout.split())
    runs = RunStore(tmp_path).all()
    assert len(runs) == 6
    by_name = {}
    for run in runs:
        key = (run.spec.workload, run.spec.seed)
        by_name.setdefault(run.spec.optimizer.partition("?")[0], {})[key] = run.result.points[-1].train_loss
    assert by_name["adam"] == pytest.approx(by_name["torch.optim:Adam"], rel=1e-5)
    assert {run.spec.peer.split()[0] for run in runs if run.spec.peer} == {"torch"}


@pytest.mark.usefixtures("one_worker")
def test_tune_searches_two_hyperparameters_from_ten_trials_on(tmp_path):
    words = ["tune", TINY, "--optimizers", "adam", "--budget", "10", "--seeds", "1"]
    result = adamas(*words, "--runs-dir", tmp_path)
    assert result.exit_code == 0, result.output
    runs = RunStore(tmp_path).all()
    assert len(runs) == 10
    assert len({run.spec.hyperparameters["betas"] for run in runs}) > 5
    best = min(runs, key=lambda run: sum(json.loads(f"{point.train_loss}") for point in run.result.points))
    assert f"lr={best.spec.hyperparameters['lr']}" in result.stdout
    assert "k=10" in result.stdout


@pytest.mark.usefixtures("one_worker")
def test_calibrate_prints_a_target_that_runs_reach(tmp_path):
    words = ["calibrate", "lab_workloads:Scaled", "--optimizers", "sgd,adam", "--seeds", "2"]
    result = adamas(*words, "--runs-dir", tmp_path)
    assert result.exit_code == 0, result.output
    target = float(re.findall(r"target = (\S+)", result.stdout)[0])
    runs = RunStore(tmp_path).all()
    assert len(runs) == 4
    assert any(point.train_loss <= target for run in runs for point in run.result.points)
    assert all(run.result.points[0].train_loss > target for run in runs)


@pytest.mark.usefixtures("one_worker")
def test_batch_prints_a_row_for_every_size_and_the_noise_scale(tmp_path):
    words = ["batch", "lab_workloads:Plain", "--sizes", "32,16", "--optimizers", "sgd", "--trials", "3"]
    result = adamas(*words, "--runs-dir", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.index("\n   16") < result.stdout.index("\n   32")
    assert "gradient noise scale" in result.stdout
    assert {run.spec.batch_size for run in RunStore(tmp_path).all()} == {16, 32}


def test_an_optimizer_of_ones_own_is_found_from_the_folder_one_is_in(tmp_path, monkeypatch):
    source = "import torch\n\nclass Mine(torch.optim.SGD):\n    pass\n"
    Path(tmp_path / "my_optimizers.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    assert entry("my_optimizers:Mine?momentum=0.5").settings == {"momentum": 0.5}
    with pytest.raises(LabError, match="can't be loaded"):
        entry("my_optimizers:Yours")
