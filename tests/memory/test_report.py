"""The report's bytes are those of the tensors that training makes, and the peak of a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

import adamas
from adamas.formats import FORMATS

from ..core.catalog import CASES, Case


@pytest.mark.parametrize("state_format", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.optimizer}-{case.rule}")
def test_a_choice_is_what_training_with_it_takes(case: Case, dtype: torch.dtype, state_format: str):
    model = nn.Sequential(nn.Linear(30, 20), nn.LayerNorm(20)).to(dtype)
    model[1].bias.requires_grad_(False)  # type: ignore[union-attr, operator]
    # Stochastic rounding adds a counter to rules that have none.
    rounding = "nearest" if case.optimizer == "SGD" else "auto"
    optimizer = case.make([*model.parameters()], state_format=state_format, rounding=rounding)
    foretold = {each.choice: each for each in adamas.memory_report(optimizer).choices}[state_format]
    model(torch.ones(2, 30, dtype=dtype)).square().sum().backward()
    optimizer.step()
    now = adamas.memory_report(optimizer).now
    assert (now.weights, now.gradients, now.states) == (foretold.weights, foretold.gradients, foretold.states)
    assert (now.total, now.released) == (foretold.total, foretold.released)
    assert now.largest_gradient == 600 * dtype.itemsize


def test_nothing_is_allocated_for_a_model_of_any_size():
    with torch.device("meta"):
        model = nn.Linear(10**6, 10**6, bias=False)
    report = adamas.memory_report(adamas.AdamW(model.parameters()))
    assert {each.choice: each.total for each in report.choices} == {
        "float32": 16 * 10**12 + 4,
        "bfloat16": 12 * 10**12 + 4,
        # A row of 10^6 has 7813 blocks of 128, 31250 of 32 and 15625 of 64.
        "int8": 10 * 10**12 + 2 * 4 * 7813 * 10**6 + 4,
        "int4": 9 * 10**12 + (2 * 31250 + 4 * 15625) * 10**6 + 4,
    }


def test_a_format_that_a_parameter_cannot_have_is_no_choice():
    w = nn.Parameter(torch.zeros(5, dtype=torch.complex64))
    assert [each.choice for each in adamas.memory_report(adamas.AdamW([w])).choices] == ["float32", "int8", "int4"]


TRAIN = """
import json, re
import torch, adamas
def status(key):
    return 1024 * int(re.search(key + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
def train(released, state_format):
    shape = (torch.nn.Linear, 2048, 2048, False)
    model = torch.nn.Sequential(*(torch.nn.utils.skip_init(*shape) for _ in range(6)))
    for p in model.parameters():
        torch.nn.init.constant_(p, 1e-3)
    optimizer = adamas.AdamW(model.parameters(), state_format=state_format)
    if released:
        optimizer.release(model)
    for _ in range(2):
        model(torch.ones(1, 2048)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return {each.choice: each for each in adamas.memory_report(optimizer).choices}[state_format]
train(False, "float32")  # what is loaded and allocated once
result = []
for released, state_format in ((False, "float32"), (True, "float32"), (False, "bfloat16")):
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    foretold = train(released, state_format)
    result.append((foretold.released if released else foretold.total, status("VmHWM") - before))
print(json.dumps(result))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_process_really_takes_that_much():
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)}  # freed blocks go back to the system at once
    run = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, check=True, env=env)
    for foretold, measured in json.loads(run.stdout):
        assert measured == pytest.approx(foretold, abs=2**24 + 2**22)  # one gradient may be in the making
