import json
import math
from html.parser import HTMLParser

import pytest

from adamas.lab.internals import Internal
from adamas.lab.pictures import Picture
from adamas.lab.report.builder import build
from adamas.lab.report.internals import parts
from adamas.lab.report.page import Gallery
from adamas.lab.report.pictures import part
from adamas.lab.report.sweeps import compared, trials

HOSTILE = "</script><script>alert(1)</script><img src=http://example.com/x onerror=alert(2)>&\"'"
COMMAND = "adamas demo"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.scripts = [], [], []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        (self.scripts if self._script else self.words).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def runs(make_runs):
    return make_runs(optimizers=("sgd", "adam", "adamw"), seeds=2)


def test_nothing_is_loaded_from_anywhere(runs):
    page = Page(build(runs, COMMAND))
    assert not [tag for tag, attributes in page.tags if {"src", "href", "srcset", "action"} & attributes.keys()]
    assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "img", "object", "base"}]
    [policy] = [each["content"] for _, each in page.tags if each.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert not [script for script in page.scripts if "MathJax" in script and len(script) < 1_000_000]


def test_plotly_is_there_once(runs):
    assert sum(len(script) > 1_000_000 for script in Page(build(runs, COMMAND)).scripts) == 1


def test_hostile_strings_change_no_tag(make_runs):
    def report(workload, hostile):
        runs = make_runs(workload, optimizers=("sgd", "adam"), seeds=1)
        if hostile:
            environment = runs[0].environment.model_copy(update={"processor": HOSTILE, "system": HOSTILE})
            spec = runs[0].spec
            spec = spec.model_copy(update={"hyperparameters": {**spec.hyperparameters, HOSTILE: HOSTILE}})
            runs = [run.model_copy(update={"environment": environment}) for run in runs]
            runs[0] = runs[0].model_copy(update={"spec": spec})
        return Page(build(runs, HOSTILE if hostile else COMMAND))

    benign, hostile = report("lab_workloads:Tiny", False), report("lab_workloads:Hostile", True)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in benign.tags]
    assert [sorted(each) for _, each in hostile.tags] == [sorted(each) for _, each in benign.tags]
    assert hostile.text.count(HOSTILE) == 5
    figures = [script for script in hostile.scripts if script.startswith("{")]
    assert not [figure for figure in figures if "<" in figure]
    assert any("&lt;b" in figure.replace("\\u0026", "&") for figure in figures)


def test_everything_a_reader_needs_is_shown(runs):
    text = Page(build(runs, "adamas demo --seeds 2")).text
    for needed in (
        "Linear model on digits",
        "SGD",
        "Adam",
        "AdamW",
        "adamas demo --seeds 2",
        "650 parameters",
    ):
        assert needed in text
    assert runs[0].environment.torch in text
    assert all(run.spec.run_id in text for run in runs)
    assert "Adam reaches the target in fewer steps than SGD" in text


def test_learning_rates_that_nobody_tuned_are_named(runs, make_runs):
    assert "not tuned for this workload: SGD, Adam, AdamW" in Page(build(runs, COMMAND)).text
    tuned = make_runs("lab_workloads:Tuned", optimizers=("sgd", "adam"), seeds=1)
    text = Page(build(tuned, COMMAND)).text
    assert "not tuned for this workload: Adam " in text
    assert "not tuned for this workload: SGD" not in text


def test_runs_from_two_machines_come_with_a_warning(runs):
    assert "can't be compared" not in build(runs, COMMAND)
    elsewhere = runs[0].environment.model_copy(update={"processor": "another"})
    moved = [runs[0].model_copy(update={"environment": elsewhere}), *runs[1:]]
    assert "can't be compared" in build(moved, COMMAND)


def test_a_diverged_run_is_infinite_and_still_drawn(runs):
    last = runs[0].result.points[-1].model_copy(update={"train_loss": math.nan})
    result = runs[0].result.model_copy(update={"points": (*runs[0].result.points[:-1], last)})
    page = Page(build([runs[0].model_copy(update={"result": result}), *runs[1:]], COMMAND))
    assert "∞" in page.text
    assert not [script for script in page.scripts if script.startswith("{") and "NaN" in script]


def at(run, seed, costs, **hyper):
    """The run again with another seed, other settings and other losses."""
    spec = run.spec.model_copy(update={"seed": seed, "hyperparameters": {**run.spec.hyperparameters, **hyper}})
    points = tuple(
        run.result.points[-1].model_copy(update={"step": 4 * place, "train_loss": cost})
        for place, cost in enumerate(costs)
    )
    return run.model_copy(
        update={"spec": spec, "result": run.result.model_copy(update={"points": points, "internals": ()})}
    )


def test_of_several_settings_the_best_is_compared_and_runs_of_a_search_are_not(runs):
    good, bad, searched = (
        [at(runs[0], seed, costs, lr=lr) for seed in seeds]
        for lr, costs, seeds in ((0.1, [2, 1, 1], (0, 1)), (0.5, [2, 3, 3], (0, 1)), (0.2, [2, 0.1, 0.1], (1000, 1001)))
    )
    assert compared([*bad, *searched, *good]) == good
    assert compared(searched) == searched
    [options] = trials([*bad, *searched, *good]).values()
    assert [trial.lr for trial in options] == [0.2]
    [options] = trials([*bad, *good]).values()
    assert [(trial.lr, len(trial.runs)) for trial in options] == [(0.1, 2), (0.5, 2)]


def test_a_sweep_is_drawn_with_the_share_of_seeds_that_diverged(runs):
    sweep = [at(runs[0], seed, [2, 1, 1 / lr], lr=lr) for lr in (0.5, 0.1, 1.0) for seed in (0, 1)]
    sweep[-1] = at(runs[0], 1, [2, 1, math.nan], lr=1.0)
    text = build([*runs, *sweep], COMMAND)
    [figure] = [
        json.loads(script)
        for script in Page(text).scripts
        if script.startswith("{") and '"learning rate"' in script and "diverged" in script
    ]
    shares = [trace for trace in figure["data"] if trace.get("yaxis") == "y2"]
    assert [trace["y"] for trace in shares] == [[0, 0, 50]]
    assert "Score against tuning budget" in text


def test_the_profile_of_two_workloads_is_a_staircase_of_shares(make_runs):
    """On one workload Adam is there after one evaluation and SGD after two, on the other the other way round."""
    fast, slow = [9.0, 0.1, 0.1, 0.1], [9.0, 9.0, 0.1, 0.1]
    runs = [
        at(run, 0, fast if (run.spec.optimizer == "adam") == (workload == "lab_workloads:Tiny") else slow)
        for workload in ("lab_workloads:Tiny", "lab_workloads:Tuned")
        for run in make_runs(workload, seeds=1)
    ]
    figures = [json.loads(script) for script in Page(build(runs, COMMAND)).scripts if script.startswith("{")]
    [figure] = [each for each in figures if "factor of the fewest" in json.dumps(each)]
    assert [(trace["name"], trace["x"], trace["y"]) for trace in figure["data"]] == [
        ("SGD", [1.0, 2.0, 2.2], [50, 100, 100]),
        ("Adam", [1.0, 2.0, 2.2], [50, 100, 100]),
    ]


def test_internals_are_one_row_a_tensor_and_what_is_missing_is_a_gap():
    internals = [
        Internal(name=name, steps=(1, 2), update_ratio=(0.1, None), under_eps=(None, None), effective_lr=(0.0, 1.0))
        for name in ("<b>weight</b>", "bias")
    ]
    ratio, effective = parts(internals)  # no number of coordinates under eps: no map of them
    assert ratio.heading == "Update / weight"
    assert ratio.figure["data"][0]["z"] == [[-1.0, None], [-1.0, None]]
    assert effective.figure["data"][0]["z"] == [[None, 0.0], [None, 0.0]]
    assert ratio.figure["layout"]["yaxis"]["ticktext"] == ["&lt;b&gt;weight&lt;/b&gt;", "bias"]


def test_a_signed_picture_is_centred_on_zero():
    gallery = part(Picture(kind="images", title="", values=(((-1.0, 0.0), (0.5, 1.0)),)))
    assert isinstance(gallery, Gallery)
    [strip] = gallery.strips
    assert strip.data["signed"]
    assert list(bytes.fromhex(strip.data["pixels"])) == [0, 128, 191, 255]
