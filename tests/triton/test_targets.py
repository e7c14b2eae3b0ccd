"""Kernels compile for NVIDIA's and AMD's GPUs, and nothing in them is fused or approximated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_kernels_compile_exactly(tmp_path: Path) -> None:
    """In a process of its own: here Triton was told to interpret."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    del environment["TRITON_INTERPRET"]
    words = [sys.executable, "-m", "tests.triton.compiling"]
    done = subprocess.run(words, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kernel["target"] for kernel in kernels] == ["cuda"] * 12 + ["hip"] * 12
    for place, kernel in enumerate(kernels):
        powers = place % 12 > 8  # exp and log of float64 come from the vendors' libraries, which fuse
        assert powers or kernel["loose"] == []
        exact = {"div.rn.f32", "sqrt.rn.f32", "div.rn.f64", "sqrt.rn.f64"}
        assert set(kernel["ptx"]) <= (exact | {"fma.rn.f64", "rcp.approx.ftz.f64"} if powers else exact)
    assert kernels[0]["ptx"] == ["div.rn.f32", "sqrt.rn.f32"]
