"""The compiled library: found or missed with one warning, chosen by environment, a good citizen of the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import adamas
from adamas.engines import library
from adamas.engines.library import ABI, LaunchStruct


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


STEP = """
import warnings, torch, adamas
p = torch.nn.Parameter(torch.ones(10)); p.grad = torch.ones(10)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    optimizer = adamas.AdamW([p]); optimizer.step(); optimizer.step(); adamas.SGD([p]).step()
launches = [type(batch._launch).__name__ for batch in optimizer._plan._batches]
print(launches, [str(w.message) for w in caught])
"""


def test_abi_matches() -> None:
    loaded = library.load()
    assert loaded is not None, "the tests need the compiled library: see that there is a C++ compiler"
    assert loaded.adamas_abi() == ABI


def test_missing_library_falls_back_with_one_warning() -> None:
    hidden = f"from adamas.engines import library; library.find = lambda: None\n{STEP}"
    result = python(hidden)
    assert "ReferenceLaunch" in result.stdout, result.stderr
    assert result.stdout.count("not available") == 1


def test_engine_cpu_falls_back_too() -> None:
    code = STEP.replace("adamas.AdamW([p])", "adamas.AdamW([p], engine='cpu')")
    result = python(f"from adamas.engines import library; library.find = lambda: None\n{code}")
    assert "ReferenceLaunch" in result.stdout, result.stderr
    assert result.stdout.count("not available") == 1


def test_broken_library_falls_back(tmp_path: Path) -> None:
    broken = tmp_path / "libadamas.so"
    broken.write_bytes(b"not a library")
    code = (
        f"from pathlib import Path; from adamas.engines import library; library.find = lambda: Path({str(broken)!r})\n"
    )
    result = python(code + STEP)
    assert "ReferenceLaunch" in result.stdout, result.stderr
    assert "cannot be loaded" in result.stdout


@pytest.mark.parametrize(("wanted", "launch"), [("reference", "ReferenceLaunch"), ("cpu", "CpuLaunch")])
def test_environment_overrides_the_engine(wanted: str, launch: str) -> None:
    other = "cpu" if wanted == "reference" else "reference"
    code = STEP.replace("adamas.AdamW([p])", f"adamas.AdamW([p], engine='{other}')")
    assert f"['{launch}'] []" in python(code, ADAMAS_ENGINE=wanted).stdout


def test_environment_with_an_unknown_engine() -> None:
    assert "ADAMAS_ENGINE=gpu: no such engine" in python(STEP, ADAMAS_ENGINE="gpu").stderr


def test_environment_chooses_the_instruction_set() -> None:
    code = "from adamas.engines import library; print(library.isa())"
    simplest = python(code, ADAMAS_ISA="baseline" if os.uname().machine == "x86_64" else "neon").stdout.strip()
    assert simplest in ("baseline", "neon")
    unknown = python(code, ADAMAS_ISA="mmx")
    assert "ADAMAS_ISA=mmx" in unknown.stderr
    assert unknown.stdout.strip() == library.isa()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_openmp_runtime() -> None:
    code = f"{STEP}\nprint(*sorted({{x.split()[-1] for x in open('/proc/self/maps') if 'gomp' in x or 'iomp' in x}}))"
    runtimes = python(code).stdout.splitlines()[-1].split()
    assert len(runtimes) == 1, runtimes


def test_denormals_are_flushed_inside_only() -> None:
    p = torch.nn.Parameter(torch.ones(4))
    optimizer = adamas.SGD([p], lr=1.0, momentum=0.5, engine="cpu")
    p.grad = torch.full((4,), 1.5e-38)
    optimizer.step()
    p.grad = torch.zeros(4)
    optimizer.step()
    assert optimizer.state[p]["momentum_buffer"].eq(0).all()  # 0.75e-38 is denormal
    assert (torch.full((4,), 1.5e-38) * 0.5).ne(0).all()  # and outside nothing is flushed


def test_a_launch_out_of_range_is_refused() -> None:
    loaded = library.load()
    assert loaded is not None
    for field, value in (("compute", 7), ("tensors", -1), ("scalars_per_row", 0)):
        struct = LaunchStruct(scalars_per_row=4)
        setattr(struct, field, value)
        assert loaded.adamas_step(struct) == -1
    assert loaded.adamas_use_isa(b"none of that name") == -1
