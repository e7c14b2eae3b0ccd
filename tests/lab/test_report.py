import math
from html.parser import HTMLParser

import pytest

from adamas.lab.report.builder import build

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
