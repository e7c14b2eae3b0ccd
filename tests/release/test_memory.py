"""The peak of a real process falls by the size of the gradients, for a model of 100 million parameters."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

LAYERS, WIDTH = 24, 2048

TRAIN = """
import json, re, sys
import torch, adamas
released, layers, width = json.loads(sys.argv[1])
torch.manual_seed(0)
model = torch.nn.Sequential(
    *(torch.nn.utils.skip_init(torch.nn.Linear, width, width, bias=False) for _ in range(layers))
)
for p in model.parameters():
    torch.nn.init.constant_(p, 1 / width)
optimizer = adamas.AdamW(model.parameters(), lr=1e-3)
if released:
    optimizer.release(model)
x = torch.randn(2, width)
for _ in range(2):
    model(x).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
peak = 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
print(json.dumps([peak, [float(p.sum()) for p in model.parameters()]]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_peak_falls_by_the_gradients():
    def train(released: bool) -> tuple[int, list[float]]:
        command = [sys.executable, "-c", TRAIN, json.dumps([released, LAYERS, WIDTH])]
        env = {key: value for key, value in os.environ.items() if key != "MALLOC_MMAP_THRESHOLD_"}
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)

    # Not ru_maxrss: that is never less than the peak of the process which this one was forked from.
    (plain, expected), (released, weights) = train(False), train(True)
    assert weights == expected
    matrix = 4 * WIDTH * WIDTH
    # One gradient is alive while its parameter is stepped, another may be in the making; 16 MiB are the allocator's.
    assert LAYERS * matrix - 2 * matrix - 2**24 < plain - released < LAYERS * matrix + 2**24
    print(
        f"peak {plain / 1e6:.0f} MB plain, {released / 1e6:.0f} MB released, gradients {LAYERS * matrix / 1e6:.0f} MB"
    )
