"""`adamas doctor` and `adamas run --diagnose`: the run is trained again with a doctor, and keeps what was seen."""

from typer.testing import CliRunner

from adamas.lab.cli import app
from adamas.lab.compare import spec
from adamas.lab.diagnosis import examine, repeats
from adamas.lab.environment import environment
from adamas.lab.report.doctor import noise, parts, sentence
from adamas.lab.report.page import Chart, Words
from adamas.lab.results import TRACKED, Diagnosis, Run, RunStore, Track
from adamas.lab.train import train

TINY = "lab_workloads:Tiny"


def adamas(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="adamas")


def test_a_run_is_looked_at_by_training_it_again(tmp_path):
    wanted = spec(TINY, "adamw", 0, 1e-3).model_copy(update={"steps": 40})
    plain, looked = train(wanted), examine(wanted, every=8)
    assert repeats(Run(spec=wanted, result=plain, environment=environment()), looked)
    diagnosis = looked.diagnosis
    assert diagnosis is not None
    assert [track.name for track in diagnosis.tracks] == ["1.weight", "1.bias"]
    for track in diagnosis.tracks:
        assert track.steps == (8, 16, 24, 32, 40)
        assert all(len(getattr(track, what)) == 5 for what in TRACKED)
    assert [found.what for found in diagnosis.findings] == ["weight decay acts on biases and norms"]
    assert diagnosis.findings[0].where == ("1.bias",)  # the model's name, which the optimizer was not given


def test_the_commands_show_the_findings_and_keep_them(tmp_path):
    first = adamas("run", TINY, "--optimizer", "adamw", "--diagnose", "--runs-dir", tmp_path)
    assert first.exit_code == 0, first.output
    assert "Weight decay acts on biases and norms (1.bias)" in first.stdout
    [run] = RunStore(tmp_path).all()
    assert run.result.diagnosis is not None
    assert run.result.diagnosis.every == 16
    before = run.result.points
    again = adamas("doctor", run.spec.run_id[:12], "--every", "4", "--runs-dir", tmp_path)
    assert again.exit_code == 0, again.output
    assert "What to change: adamas.param_groups" in again.stdout
    [run] = RunStore(tmp_path).all()
    assert run.result.diagnosis is not None
    assert run.result.diagnosis.every == 4
    assert run.result.points == before  # what the run cost stays what it was without a doctor
    assert adamas("doctor", tmp_path / f"{run.spec.run_id}.json", "--every", "4").stdout == again.stdout
    page = tmp_path / "report.html"
    assert adamas("report", tmp_path, "--out", page).exit_code == 0
    written = page.read_text(encoding="utf-8")
    assert "What the doctor says" in written
    assert "Weight decay acts on biases and norms (1.bias)" in written
    assert "Gradient over root of second moment" in written


def test_a_healthy_run_is_told_so(tmp_path):
    done = adamas("run", TINY, "--optimizer", "adam", "--diagnose", "--runs-dir", tmp_path)
    assert "Nothing is wrong, as far as its steps show." in done.stdout


def test_mistakes_are_one_line(tmp_path):
    (tmp_path / "broken.json").write_text("{}")
    for words, said in (
        (("doctor", "mlp"), "there is no run 'mlp'"),
        (("doctor", "broken"), "is no run of the lab"),
        (("run", TINY, "--optimizer", "torch.optim:AdamW", "--diagnose"), "the doctor can't look into torch.optim"),
    ):
        failed = adamas(*words, "--runs-dir", tmp_path)
        assert failed.exit_code == 1
        assert said in failed.stderr
    for seed in ("0", "1"):
        adamas("run", TINY, "--optimizer", "adam", "--seed", seed, "--runs-dir", tmp_path)
    assert "3 runs begin with" in adamas("doctor", "lab_work", "--runs-dir", tmp_path).stderr


def test_the_panel_shows_maps_that_say_something():
    numbers = {"update_ratio": (0.001, None), "rms": (1.0, 0.9), "lost": (0.0, 0.0), "large": (0.1, 0.0)}
    track = Track(name="a<b", steps=(8, 16), under=(None, None), **numbers)
    words, ratio, rms, large = parts(Diagnosis(every=8, findings=(), tracks=(track,)))
    assert isinstance(words, Words)
    assert words.paragraphs == ("Nothing is wrong, as far as its steps show.",)
    assert isinstance(ratio, Chart)
    assert isinstance(rms, Chart)
    assert isinstance(large, Chart)
    assert ratio.figure["data"][0]["z"] == [[-3.0, None]]
    assert ratio.figure["data"][0]["text"][0][0] == "a&lt;b"
    assert large.figure["data"][0]["zmax"] == 1


def test_the_noise_scale_is_a_range():
    diagnosis = Diagnosis(every=8, findings=(), tracks=(), noise_scale=(120.0, 345.0, None))
    assert noise(diagnosis) == "Gradient noise scale at the end: 345 examples (120 to no end)."
    assert noise(diagnosis.model_copy(update={"noise_scale": ()})) == ""
    found = examine(spec(TINY, "adamw", seed=0), 4).diagnosis
    assert found is not None
    assert "What to change" in sentence(found.findings[0])
