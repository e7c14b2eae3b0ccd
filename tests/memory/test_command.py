"""`adamas memory`: of a model class and of a checkpoint, without allocating either."""

import pytest
import torch
from typer.testing import CliRunner

import adamas
from adamas.lab.cli import app


class Model(torch.nn.Sequential):
    """What a user would name: a class that needs no arguments."""

    def __init__(self):
        super().__init__(torch.nn.Embedding(1000, 300), torch.nn.GRU(300, 300), torch.nn.Linear(300, 1000))


def memory(*words):
    return CliRunner().invoke(app, ["memory", *map(str, words)])


def cells(result, choice):
    """Return the numbers in a row of the table."""
    (row,) = [line for line in result.output.splitlines() if line.strip().startswith(choice)]
    return [float(cell.replace(",", "")) for cell in row.replace("│", " ").split()[1:]]


def test_a_model_by_its_class():
    result = memory(f"{__name__}:Model")
    assert result.exit_code == 0, result.output
    count = sum(p.numel() for p in Model().parameters())
    assert f"{count:,} parameters" in result.output
    weights, gradients, states, *_ = cells(result, "float32")
    assert (weights, gradients) == (round(count * 4 / 2**20, 1),) * 2
    assert states == pytest.approx(count * 8 / 2**20, abs=0.1)


@pytest.mark.parametrize("nested", [False, True])
def test_a_checkpoint(tmp_path, nested):
    model = torch.nn.Linear(1024, 512)
    optimizer = adamas.AdamW(model.parameters())
    model(torch.ones(1, 1024)).sum().backward()
    optimizer.step()
    content = model.state_dict()
    if nested:
        content = {"model": content, "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(content, tmp_path / "model.pt")
    result = memory(tmp_path / "model.pt", "--optimizer", "SGD")
    assert result.exit_code == 0, result.output
    assert "524,800 parameters" in result.output
    assert cells(result, "float32") == [2.0, 2.0, 0.0, 4.0, 4.0, 0.0]
    assert ("The optimizer's state in this file: 4.0 MiB" in result.output) is nested


def test_tied_weights_count_once(tmp_path):
    w = torch.zeros(1024, 256)
    torch.save({"embed": w, "head": w, "steps": torch.tensor(3)}, tmp_path / "tied.pt")
    assert "262,144 parameters" in memory(tmp_path / "tied.pt").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.pt"], "there is no file 'nowhere.pt'"),
        (["torch.nn:Linear"], "can't be built (TypeError"),
        (["torch.nn:Nothing"], "can't be loaded"),
        (["torch.nn:ReLU"], "holds no weights"),
        ([f"{__name__}:Model", "--optimizer", "Adan"], "no optimizer is called 'Adan'"),
    ],
)
def test_mistakes_are_one_line_and_what_to_do(words, said):
    result = memory(*words)
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert "help:" in result.output


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"no checkpoint")
    result = memory(tmp_path / "model.pt")
    assert (result.exit_code, "can't be read" in result.output) == (1, True)
