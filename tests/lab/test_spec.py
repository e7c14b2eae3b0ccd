import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adamas.lab import workloads
from adamas.lab.compare import paired_specs, spec
from adamas.lab.errors import LabError
from adamas.lab.spec import RunSpec

BASE = RunSpec(
    workload="cnn",
    workload_digest="0123456789ab",
    optimizer="adam",
    hyperparameters={"lr": 0.003, "betas": (0.9, 0.999), "amsgrad": False},
    seed=0,
    steps=600,
    batch_size=64,
    eval_every=20,
    engine="cpu",
    adamas="0.1.0",
    torch="2.13.0",
)


def test_the_hash_never_changes():
    """Finished runs of earlier versions are found by it."""
    assert BASE.run_id == "cnn-adam-seed0-e1c7e03cd0c1"


def test_order_and_spelling_of_hyperparameters_do_not_matter():
    reordered = dict(reversed(BASE.hyperparameters.items()))
    assert BASE.model_copy(update={"hyperparameters": reordered}).run_id == BASE.run_id
    one, also_one = (BASE.model_copy(update={"hyperparameters": {"lr": lr}}) for lr in (1, 1.0))
    assert one.run_id == also_one.run_id


@given(st.floats(min_value=0, allow_infinity=False), st.integers(0, 2**31), st.booleans())
def test_json_keeps_the_identity(lr, seed, flag):
    update = {"hyperparameters": {"lr": lr, "nesterov": flag}, "seed": seed}
    changed = BASE.model_copy(update=update)
    assert RunSpec.model_validate_json(changed.model_dump_json()).run_id == changed.run_id


@pytest.mark.parametrize("field", [name for name in RunSpec.model_fields if name != "hyperparameters"])
def test_every_field_counts(field):
    value = getattr(BASE, field)
    other = BASE.model_copy(update={field: f"{value}x" if isinstance(value, str) else value + 1})
    assert other.run_id != BASE.run_id


def test_specs_are_frozen_and_closed():
    with pytest.raises(ValidationError):
        BASE.seed = 1
    with pytest.raises(ValidationError):
        RunSpec.model_validate({**BASE.model_dump(), "sead": 1})


def test_a_run_id_is_a_file_name():
    assert "/" not in BASE.model_copy(update={"workload": "../../x:Y"}).run_id
    assert ":" not in BASE.model_copy(update={"workload": "a.b:C"}).run_id


def test_specs_of_a_comparison_are_all_different():
    specs = paired_specs(["cnn", "mlp"], ["sgd", "momentum", "adam"], seeds=3)
    assert len({each.run_id for each in specs}) == 18


def test_a_workloads_source_is_part_of_the_identity(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "from lab_workloads import Tiny\n\nclass Mine(Tiny):\n    steps = {}\n"
    for module, steps in (("mine_one", 5), ("mine_two", 6)):
        (tmp_path / f"{module}.py").write_text(source.format(steps))
    assert workloads.digest("mine_one:Mine") != workloads.digest("mine_two:Mine")
    assert spec("mine_one:Mine", "sgd", 0).workload_digest == workloads.digest("mine_one:Mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cmn", "did you mean 'cnn'"),
        ("zzz", "there are logreg, .*, cnn"),
        ("no_such_module:X", "can't be loaded"),
        ("lab_workloads:Nothing", "can't be loaded"),
    ],
)
def test_unknown_workloads(name, message):
    with pytest.raises(LabError, match=message):
        workloads.load(name)
