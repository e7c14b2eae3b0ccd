import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adamas.lab.cli import app
from adamas.lab.results import Run
from adamas.lab.train import train

HERE = Path(__file__).parent


def adamas(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="adamas")


def assert_one_clear_line(result, *words, code=1):
    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
    assert len(result.stderr.strip().splitlines()) == 2


def test_alone_it_says_what_it_can_do():
    result = adamas()
    assert result.exit_code == 0
    for word in ("adamas demo", "tune", "demo"):
        assert word in result.stdout


@pytest.mark.parametrize("command", ["demo", "tune"])
def test_help_has_examples(command):
    result = adamas(command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workloads", "cmn"], ["cmn", "did you mean 'cnn'"]),
        (["--optimizers", "rmsporp"], ["rmsporp", "did you mean 'rmsprop'"]),
        (["--optimizers", ","], ["--optimizers is empty"]),
        (["--workloads", "[bold]:x"], ["[bold]:x"]),
    ],
)
def test_unknown_names(tmp_path, words, said):
    assert_one_clear_line(adamas("demo", "--runs-dir", tmp_path / "runs", *words), *said)
    assert not (tmp_path / "runs").exists()


def test_unwritable_folders_are_found_before_anything_is_trained(tmp_path):
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "inside"
    assert_one_clear_line(adamas("demo", "--runs-dir", inside), "can't write", "--runs-dir")
    runs = tmp_path / "runs"
    assert_one_clear_line(adamas("demo", "--runs-dir", runs, "--out", inside / "x.html"), "can't write", "--out")
    assert list(runs.iterdir()) == []


def test_an_unknown_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("ADAMAS_ENGINE", "steam")
    assert_one_clear_line(adamas("demo", "--runs-dir", tmp_path), "ADAMAS_ENGINE=steam", "unset")


def test_wrong_usage_is_no_traceback():
    result = adamas("demo", "--seeds", "none")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [["--debug", "demo"], ["demo", "--debug"]])
def test_debug_shows_where(words):
    result = adamas(*words, "--workloads", "cmn")
    assert result.exit_code == 1
    assert type(result.exception).__name__ == "LabError"


def test_demo_trains_reports_and_resumes(tmp_path, request):
    folder = tmp_path / "runs"
    words = ["demo", "--workloads", "lab_workloads:Tiny", "--optimizers", "sgd,adam", "--seeds", "1"]
    words += ["--runs-dir", folder, "--out", tmp_path / "report.html"]
    result = adamas(*words)
    assert result.exit_code == 0, result.output
    assert "Linear model on digits" in result.stdout
    assert "report.html" in result.stdout.replace("\n", "")
    assert "Optimizer comparison" in (tmp_path / "report.html").read_text(encoding="utf-8")

    files = sorted(folder.iterdir())
    runs = [Run.model_validate_json(file.read_text()) for file in files]
    assert len(runs) == 2
    assert all(run.environment.threads == 1 for run in runs)
    # A worker and this process get the same bits, though this process may have more threads.
    again = train(runs[0].spec)
    assert [point.train_loss for point in again.points] == [point.train_loss for point in runs[0].result.points]

    def modified():
        return [file.stat().st_mtime_ns for file in files]

    before = modified()
    request.getfixturevalue("one_worker")
    assert adamas(*words).exit_code == 0
    assert modified() == before
    files[0].unlink()
    assert adamas(*words).exit_code == 0
    assert modified()[1:] == before[1:]
    assert adamas(*words, "--fresh").exit_code == 0
    assert modified()[1] > before[1]


@pytest.mark.parametrize(
    ("workload", "said"),
    [
        ("Failing", ["with sgd, seed 0", "ValueError: no such luck", "--debug"]),
        ("Dying", ["worker process died"]),
    ],
)
def test_what_goes_wrong_in_a_worker_is_one_clear_line(tmp_path, request, workload, said):
    if workload != "Dying":  # which breaks the pool it is in
        request.getfixturevalue("one_worker")
    words = ["demo", "--workloads", f"lab_workloads:{workload}", "--optimizers", "sgd", "--seeds", "1"]
    assert_one_clear_line(adamas(*words, "--runs-dir", tmp_path, "--out", tmp_path / "report.html"), *said)
    assert not (tmp_path / "report.html").exists()


def children_of(pid):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listing.stdout.split()]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal to a process group")
def test_interrupted_it_keeps_finished_runs_and_leaves_no_worker(tmp_path):
    words = ["demo", "--workloads", "lab_workloads:Tiny,lab_workloads:Endless", "--optimizers", "sgd"]
    words += ["--seeds", "1", "--workers", "1", "--runs-dir", tmp_path, "--out", tmp_path / "report.html"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    process = subprocess.Popen(
        [sys.executable, "-m", "adamas.lab", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert wait_until(lambda: any(tmp_path.glob("*Tiny*.json")), 180)  # a busy machine is slow
        workers = children_of(process.pid)
        assert workers
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert wait_until(lambda: not any(map(alive, workers)), 10)
    [file] = tmp_path.glob("*.json")
    Run.model_validate_json(file.read_text())
    assert process.returncode == 130
    assert "Traceback" not in stdout + stderr
    assert "finished runs are kept" in stderr
    assert len(stderr.strip().splitlines()) == 2


def test_without_the_extra_it_says_what_to_install(tmp_path):
    """A Python that has torch but none of the lab's libraries, as after a plain `pip install adamas`."""
    block = "import sys\nfor name in ('typer', 'plotly'): sys.modules[name] = None\n"
    run = f"{block}from adamas.lab.__main__ import main\nmain()\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run([sys.executable, "-c", run], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "adamas: the lab needs typer, plotly: pip install 'adamas[lab]'\n"
