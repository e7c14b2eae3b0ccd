import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adamas.lab.compare import spec
from adamas.lab.environment import environment
from adamas.lab.pictures import Picture
from adamas.lab.report.builder import build
from adamas.lab.results import Run
from adamas.lab.train import train

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
IMAGE = ((0.0, 0.25), (0.5, 1.0))
HOSTILE = "</script><script>alert(1)</script><img src=http://example.com/x onerror=alert(2)>&\"'"


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        launched.close()


@dataclass
class Watched:
    """A page, and what it said and asked for since it was opened."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def opened(browser):
    contexts = []

    def show(path, width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(120_000)  # a busy machine is slow, and that is no failure
        watched = Watched(context.new_page())
        watched.page.on("console", lambda message: watched.errors.append(message.text))
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on("dialog", lambda dialog: (watched.errors.append(dialog.message), dialog.dismiss()))
        watched.page.on("request", lambda request: watched.requests.append(request.url))
        watched.page.goto(path.as_uri())
        return watched

    yield show
    for context in contexts:
        context.close()


def trained(workload, optimizer, seed, lr=None) -> Run:
    one = spec(workload, optimizer, seed, lr).model_copy(update={"steps": 30, "eval_every": 3})
    return Run(spec=one, result=train(one), environment=environment())


def with_pictures(run, title) -> Run:
    pictures = (
        Picture(kind="images", title=title, caption=title, values=(IMAGE, IMAGE), rows=(title,)),
        Picture(kind="heatmap", title=title, values=((1.0, 2.0), (3.0, 4.0)), rows=(title, "b"), columns=("a", title)),
        Picture(kind="lines", title=title, values=((1.0, 2.0), (3.0, 4.0)), rows=(title, "b"), columns=("a", title)),
        Picture(kind="bars", title=title, values=((1.0, 2.0),), columns=("a", title)),
        Picture(kind="text", title=title, texts=(title, "two\nlines")),
    )
    return run.model_copy(update={"result": run.result.model_copy(update={"pictures": pictures})})


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """Two workloads, one of them also at several learning rates, with pictures and internals."""
    runs = [trained(name, opt, seed) for name in ("mlp", "cnn") for opt in ("sgd", "adam", "adamw") for seed in (0, 1)]
    runs += [trained("mlp", optimizer, 1000, lr) for optimizer in ("sgd", "adam") for lr in (1e-3, 1e-2, 1e-1, 100.0)]
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(build([with_pictures(run, "A picture") for run in runs], "adamas compare mlp,cnn"), "utf-8")
    return path


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory):
    """Hostile strings wherever a user's own code or a file may bring one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(Path(__file__).parents[1]), *sys.path])
        runs = [trained("lab_workloads:Hostile", optimizer, seed) for optimizer in ("sgd", "adam") for seed in (0, 1)]
        changed = []
        for run in runs:
            values = {**run.spec.hyperparameters, HOSTILE: HOSTILE}
            named = run.spec.model_copy(update={"hyperparameters": values})
            internals = tuple(each.model_copy(update={"name": HOSTILE}) for each in run.result.internals)
            result = run.result.model_copy(update={"internals": internals})
            where = run.environment.model_copy(update={"processor": HOSTILE})
            run = run.model_copy(update={"spec": named, "result": result, "environment": where})
            changed.append(with_pictures(run, HOSTILE))
        text = build(changed, HOSTILE)
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def hostile():
    return HOSTILE
