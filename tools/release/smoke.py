"""A first look at an installed adamas: ``python smoke.py cpu`` or ``python smoke.py reference`` (the engine to expect).

It needs torch and adamas alone, so that it can run where nothing else is: in a clean environment, in a wheel builder.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

import torch

import adamas
from adamas.engines import library

DTYPES = (torch.float32, torch.bfloat16)
FORMATS = ("float32", "int8", "int4")


def optimizers() -> list[str]:
    """Return the names of the public optimizers."""
    values = {name: getattr(adamas, name) for name in adamas.__all__}
    return sorted(
        name
        for name, value in values.items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not adamas.Optimizer
    )


def stepped(name: str, dtype: torch.dtype, state_format: str, engine: str) -> list[torch.Tensor]:
    """Take three steps; return the weights, and the plain state of the first."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in ((20, 300), (3, 7))]
    optimizer = getattr(adamas, name)(weights, lr=0.01, state_format=state_format, engine=engine)
    for _ in range(3):
        for p in weights:
            p.grad = torch.randn(p.shape, generator=generator).to(dtype)
            if name == "SparseAdam":
                p.grad = p.grad.to_sparse(1)
        optimizer.step()
    state = [value for value in optimizer.state[weights[0]].values() if isinstance(value, torch.Tensor)]
    return [p.detach() for p in weights] + state


def compare() -> int:
    """Step every optimizer on the engine that is chosen and on the reference; return how many trainings were alike."""
    alike = 0
    for name in optimizers():
        for dtype in DTYPES:
            for state_format in FORMATS:
                chosen, reference = (stepped(name, dtype, state_format, engine) for engine in ("auto", "reference"))
                if not all(map(torch.equal, chosen, reference)):
                    raise SystemExit(f"smoke: {name}, {dtype}, {state_format}: not the reference engine's bits")
                alike += 1
    return alike


def saved() -> None:
    """Save and load a training."""
    model = torch.nn.Linear(3, 2)
    optimizer = adamas.AdamW(model.named_parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        adamas.save(Path(folder), model, optimizer)
        before = model.weight.detach().clone()
        torch.nn.init.zeros_(model.weight)
        adamas.load(Path(folder), model, optimizer)
        assert torch.equal(model.weight, before), "what was loaded is not what was saved"


def runtimes() -> list[str]:
    """Return the OpenMP libraries in this process."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return sorted({os.path.realpath(line.split()[-1]) for line in lines if "gomp" in line or "iomp" in line})


def main(expected: str) -> None:
    """Look; say what was seen."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        isa = library.isa()
        alike = compare()
        saved()
    said = [str(warning.message) for warning in caught if "adamas" in str(warning.message)]
    engine = "reference" if isa is None else "cpu"
    if engine != expected:
        raise SystemExit(f"smoke: the {engine} engine is used, not {expected}: {said}")
    if len(said) != (expected == "reference"):
        raise SystemExit(f"smoke: warnings of adamas: {said}")
    if expected == "cpu" and len(runtimes()) > 1:
        raise SystemExit(f"smoke: more than one OpenMP: {runtimes()}")
    where = Path(adamas.__file__).parent
    print(f"smoke: adamas {adamas.__version__} in {where}, torch {torch.__version__}, engine {engine} ({isa})")
    print(f"smoke: {alike} trainings of {len(optimizers())} optimizers have the reference engine's bits; {runtimes()}")
    print("\n".join(f"smoke: said once: {each}" for each in said), end="\n" if said else "")


if __name__ == "__main__":
    main(sys.argv[1])
