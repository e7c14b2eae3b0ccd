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
    assert [kernel["target"] for kernel in kernels] == ["cuda"] * 8 + ["hip"] * 8
    for kernel in kernels:
        assert kernel["loose"] == []
        assert set(kernel["ptx"]) <= {"div.rn.f32", "sqrt.rn.f32"}
    assert kernels[0]["ptx"] == ["div.rn.f32", "sqrt.rn.f32"]
