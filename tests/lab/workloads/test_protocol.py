import linecache
import math
from importlib import import_module

import pytest
import torch
from pydantic import ValidationError
from typer.testing import CliRunner

from adamas.lab import workloads
from adamas.lab.cli import app
from adamas.lab.compare import spec
from adamas.lab.data import digits
from adamas.lab.environment import environment
from adamas.lab.errors import LabError
from adamas.lab.pictures import Picture, images, series
from adamas.lab.results import Run, RunStore
from adamas.lab.streams import initialized_model
from adamas.lab.train import train

HERE = "protocol_workloads"


def test_a_variant_is_a_model_of_its_own():
    narrow, default, wide = (workloads.load(f"{HERE}:Varied{end}").model() for end in ("@narrow", "", "@wide"))
    assert str(narrow) == str(default) != str(wide)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{HERE}:Varied@wied", "no variant 'wied': did you mean 'wide'"),
        (f"{HERE}:Varied@x", "there are narrow, wide"),
        (f"{HERE}:Bare@x", "Bare has no variant 'x': leave out"),
        ("cmn@x", "did you mean 'cnn'"),
    ],
)
def test_unknown_variants(name, message):
    for call in (workloads.load, workloads.digest):
        with pytest.raises(LabError, match=message):
            call(name)


def test_a_class_that_derives_from_nothing_has_the_defaults():
    result = train(spec(f"{HERE}:Bare", "sgd", seed=0))
    assert result.parameters == 650
    assert result.pictures == ()


def test_variants_have_runs_of_their_own():
    names = [f"{HERE}:Varied@narrow", f"{HERE}:Varied@wide"]
    assert len({workloads.digest(name) for name in names}) == 2
    ids = {spec(name, "sgd", 0).run_id for name in names}
    assert len(ids) == 2
    assert not any(sign in "".join(ids) for sign in "@:/")


def test_the_digest_covers_what_a_workload_takes_from_files_beside_it(tmp_path, monkeypatch):
    source = "import {0}_layers\nfrom lab_workloads import Tiny\nclass Mine(Tiny):\n    model = {0}_layers.model\n"
    for name, width in (("one", 5), ("two", 6)):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))
        # The files differ only in what they import; which of the two was imported must not matter.
        (folder / f"{name}_layers.py").write_text(f"def model(self):\n    return {width}\n")
        (folder / f"{name}_mine.py").write_text(source.format(name))
    digests = {name: workloads.digest(f"{name}_mine:Mine") for name in ("one", "two")}
    (tmp_path / "one" / "one_layers.py").write_text("def model(self):\n    return 77\n")
    linecache.checkcache()
    assert workloads.digest("one_mine:Mine") != digests["one"]
    assert workloads.digest("two_mine:Mine") == digests["two"]


def test_the_train_loss_is_that_of_the_probe():
    short = spec(f"{HERE}:Probed", "sgd", seed=0)
    workload = workloads.load(short.workload)
    first = train(short).points[0]
    model = initialized_model(workload, seed=0).eval()
    whole = tuple(part[:7] for part in digits().train)
    with torch.no_grad():
        assert first.train_loss == workload.loss(model, whole).item()
        assert first.train_loss != workload.loss(model, digits().train).item()


def test_what_is_descended_and_what_is_trained_are_the_workloads_to_choose():
    short = spec(f"{HERE}:HeadOnly", "sgd", seed=0, lr=0.5)
    module = import_module(HERE)
    result = train(short)
    model = module.HeadOnly.trained[-1]
    train(short.model_copy(update={"steps": 1, "hyperparameters": {"lr": 0.0}}))
    fresh = module.HeadOnly.trained[-1]
    assert result.parameters == 90
    assert torch.equal(model[0].weight, fresh[0].weight)
    # A step of 0.5 against the gradient 2w of the squares: zero at once. Cross entropy is then that of equal odds.
    assert model[1].weight.abs().max() == 0
    assert result.points[-1].train_loss == pytest.approx(math.log(10), rel=1e-6)


def test_pictures_are_kept_with_the_run(tmp_path):
    short = spec(f"{HERE}:Drawn", "sgd", seed=0)
    run = Run(spec=short, result=train(short), environment=environment())
    [picture] = run.result.pictures
    assert picture.rows == ("images", "noise")
    assert picture.values[0][2] == tuple(round(value, 2) for value in digits().test[0][0][16:24].tolist())
    store = RunStore(tmp_path)
    store.save(run)
    assert store.find(short) == run
    again, other = train(short), train(short.model_copy(update={"seed": 1}))
    assert again.pictures == run.result.pictures != other.pictures


def test_nothing_is_drawn_of_a_run_that_diverged():
    result = train(spec(f"{HERE}:Drawn", "sgd", seed=0, lr=1e38))
    assert result.diverged
    assert result.pictures == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "text", "values": ((1.0,),)}, "a text has texts"),
        ({"kind": "lines", "texts": ("a",), "values": ((1.0,),)}, "a text has texts"),
        ({"kind": "lines"}, "a text has texts"),
        ({"kind": "images", "values": ((1.0,),)}, "nested 2 deep"),
        ({"kind": "heatmap", "values": (((1.0,),),)}, "nested 3 deep"),
        ({"kind": "images", "values": (((1.0,),),) * 3, "rows": ("a", "b")}, "3 images don't make 2"),
        ({"kind": "bars", "values": ((1.0,), (2.0,)), "rows": ("a",)}, "2 rows of values, 1 names"),
        ({"kind": "bars", "values": ((1.0,), (2.0, 3.0)), "columns": ("a",)}, "each of the 1 columns"),
        ({"kind": "heatmap", "values": ((0.123,) * 100,) * 100}, "too many for a picture"),
    ],
)
def test_pictures_that_make_no_sense(fields, message):
    with pytest.raises(ValidationError, match=message):
        Picture(title="x", **fields)


def test_what_diverged_can_be_drawn_and_kept():
    picture = series("lines", "Loss", {"a": [1.0, math.inf, math.nan]})
    assert str(Picture.model_validate_json(picture.model_dump_json()).values) == str(picture.values)


def test_images_are_clipped():
    assert images("x", {"a": torch.tensor([[[-1.0, 0.256, 2.0]]])}).values == (((0.0, 0.26, 1.0),),)


def test_the_command_lists_and_describes(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    listed = CliRunner().invoke(app, ["workloads"])
    assert listed.exit_code == 0
    assert all(f" {name} " in listed.stdout for name in workloads.WORKLOADS)
    described = CliRunner().invoke(app, ["workloads", f"{HERE}:HeadOnly"])
    assert described.exit_code == 0
    for word in ("610 parameters, 90 of them trained", "1,438 to train on", "12 steps of 32"):
        assert word in described.stdout
    wrong = CliRunner().invoke(app, ["workloads", "mlp@rleu"])
    assert wrong.exit_code == 1
    assert "did you mean 'relu'" in wrong.stderr


@pytest.mark.parametrize("name", list(workloads.WORKLOADS))
def test_every_variant_is_made_and_has_a_title_of_its_own(name):
    names = workloads.load(name).variants
    variants = [workloads.load(f"{name}@{variant}") for variant in names]
    assert len({workload.title for workload in variants}) == len(variants) >= 2
    assert len({workloads.digest(f"{name}@{variant}") for variant in names}) == len(variants)
    assert variants[0].title == workloads.load(name).title
    assert all(workload.steps % workload.eval_every == 0 for workload in variants)
