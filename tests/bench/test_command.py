"""The command: its output, its JSON, its exit codes, its errors."""

import io
import json
import signal

import pytest
import typer
from rich.console import Console

from adamas.lab.bench import command
from adamas.lab.bench.cases import P1
from adamas.lab.bench.command import bench
from adamas.lab.bench.measure import CaseRun, Lane
from adamas.lab.bench.summary import summarize
from adamas.lab.bench.table import show_case
from adamas.lab.errors import LabError


class Nobody:
    """A child that is not there: the times are given."""

    name = "nobody"

    def ask(self, **request):
        raise AssertionError(request)


PEERS = "torch-fused,torch.optim:NAdam"


def test_a_run_end_to_end(tmp_path, capsys):
    target = tmp_path / "bench.json"
    bench(
        ["p1"],
        rounds=3,
        threads=1,
        quick=True,
        peers=PEERS + ",no_such_package.optim:AdamW",
        json=str(target),
    )
    shown = capsys.readouterr().out
    assert "torch-fused" in shown
    assert "not measured: no_such_package.optim:AdamW: no_such_package is not installed" in shown
    assert "bar: torch-fused / adamas >= 0.97: not measured" in shown
    content = json.loads(target.read_text())
    check_document(content)
    assert content["settings"] == {"rounds": 3, "starts": 1, "threads": 1, "quick": True}
    assert content["environment"]["threads"] == 1


def check_document(content):
    assert set(content) == {"schema", "environment", "settings", "cases"}
    assert content["schema"] == 1
    assert {"processor", "cores", "threads", "torch", "torch_isa", "adamas"} <= set(content["environment"])
    (case,) = content["cases"]
    assert (case["key"], case["parameters"], case["tensors"], case["rounds"]) == ("P1", 100_000, 1, 3)
    assert [kernel["name"] for kernel in case["limits"]] == ["copy", "triad", "triad in place"]
    assert [contender["name"] for contender in case["contenders"]] == PEERS.split(",")
    for contender in case["contenders"]:
        assert contender["moved_bytes"] == 28
        assert len(contender["samples_ms"]) == 3
        assert contender["fastest_ms"] <= contender["median_ms"]
        assert contender["ratio"].keys() == {"value", "low", "high"}
        assert contender["share"] > 0
    assert case["bar"] == {
        "text": "torch-fused / adamas >= 0.97",
        "measured": None,
        "met": None,
        "close": False,
    }
    assert list(case["missing"]) == ["no_such_package.optim:AdamW"]
    assert (case["failed"], case["interrupted"]) == ({}, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cases": ["P0"]}, "no case is called 'P0': give some of P1, P2, P3, P4, P5, P6, P7, P9"),
        ({"peers": "torch,jax"}, "no peer is called 'jax': give some of adamas, "),
        ({"peers": " , "}, "--peers is empty: "),
        ({"quick": True, "check": True}, "--quick has too little work"),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(LabError) as caught:
        bench(**arguments)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.fixture
def measured(monkeypatch):
    """Replaces the measurement by times; `measured(adamas, torch)` sets them."""

    def replace(adamas, torch, interrupted=False):
        def run_case(case, entries, settings, tell):
            lanes = [
                Lane("adamas", Nobody(), seconds=[adamas]),
                Lane("torch-fused", Nobody(), seconds=[torch]),
            ]
            facts = {lane.name: {"traffic": {"param": 4, "grad": 4, "state": 8}} for lane in lanes}
            return CaseRun(P1, P1.shapes(False), lanes, facts=facts, interrupted=interrupted)

        monkeypatch.setattr(command, "run_case", run_case)

    return replace


def test_a_missed_bar_is_information(measured, capsys):
    measured(2.0, 1.0)
    bench(["P1"])
    assert "not met with 0.50" in capsys.readouterr().out


@pytest.mark.parametrize(("torch", "code"), [(1.0, 1), (2.0, None)])
def test_check_makes_it_an_error(measured, torch, code):
    measured(2.0, torch)
    if code is None:
        bench(["P1"], check=True)
        return
    with pytest.raises(typer.Exit) as caught:
        bench(["P1"], check=True)
    assert caught.value.exit_code == code


def test_json_on_standard_output_is_alone_there(measured, capsys):
    measured(2.0, 1.0)
    bench(["P1"], json="-")
    streams = capsys.readouterr()
    assert json.loads(streams.out)["cases"][0]["bar"]["met"] is False
    assert "torch-fused" in streams.err


def test_after_an_interrupt_there_is_a_table_and_no_further_case(measured, capsys):
    measured(2.0, 1.0, interrupted=True)
    with pytest.raises(typer.Exit) as caught:
        bench(["P1", "P2"])
    assert caught.value.exit_code == 130
    assert capsys.readouterr().out.count("interrupted after 1 full rounds") == 1


def test_the_table_fits_80_columns():
    names = ("adamas-reference", "pytorch_optimizer", "bitsandbytes-8bit")
    lanes = [Lane(name, Nobody(), seconds=[s, 1.3 * s]) for name, s in zip(names, (0.0242, 0.1314, 2.4), strict=True)]
    facts = {name: {"traffic": {"param": 4, "grad": 4, "state": 8}} for name in names}
    out = io.StringIO()
    show_case(summarize(CaseRun(P1, P1.shapes(False), lanes, facts=facts)), Console(file=out, width=80))
    assert "…" not in out.getvalue()


def test_ctrl_c_prints_what_there_is(monkeypatch, capsys):
    real = command.run_case

    def run_case(case, entries, settings, tell):
        def interrupt(text):
            if "round 3" in text:
                signal.raise_signal(signal.SIGINT)

        return real(case, entries, settings, interrupt)

    monkeypatch.setattr(command, "run_case", run_case)
    with pytest.raises(typer.Exit) as caught:
        bench(["P1"], rounds=1000, threads=1, quick=True, peers="torch-fused")
    assert caught.value.exit_code == 130
    assert "interrupted after 2 full rounds" in capsys.readouterr().out
