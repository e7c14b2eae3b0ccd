"""`adamas formats`: the errors of few-bit moments on a real training, in the order that the bits give them."""

from typer.testing import CliRunner

from adamas.lab.cli import app
from adamas.lab.format_errors import measure
from adamas.lab.spec import RunSpec

SPEC = RunSpec(
    workload="mlp", optimizer="adamw", hyperparameters={"lr": 0.003}, seed=0, steps=80, batch_size=64, eval_every=80
)


def test_more_bits_are_nearer():
    *_, (steps, errors) = measure(SPEC, 2)
    assert steps == 80
    assert len(errors) == 2
    for by_format in errors.values():
        near = {form: error.relative for form, error in by_format.items()}
        assert 0 < near["bfloat16"] < 0.02
        assert near["bfloat16"] < near["int8"] < 0.4  # pixels that are rarely on share a block with busy ones
        assert near["int8"] < min(near["int4 m, int8 v"], near["int4"])
        assert near["int4"] < 0.6
        assert by_format["int4"].largest < 10


def test_command():
    shown = CliRunner().invoke(app, ["formats", "mlp", "--steps", "52", "--parameters", "1"], env={"COLUMNS": "120"})
    assert shown.exit_code == 0
    assert "error of updates against float32 moments" in shown.output
    assert "int4 m, int8 v" in shown.output
