"""The states of random number generators: Python's, NumPy's if it is loaded, torch's on every device."""

from __future__ import annotations

import random
import sys
from typing import Any

import torch


def states() -> dict[str, Any]:
    """Return where all generators are."""
    version, numbers, gauss = random.getstate()
    found: dict[str, Any] = {
        "python": [version, torch.tensor(numbers, dtype=torch.int64), gauss],
        "torch": torch.get_rng_state(),
    }
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        found["numpy"] = [kind, torch.tensor(keys.tolist(), dtype=torch.int64), *rest]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["cuda"] = torch.cuda.get_rng_state_all()
    return found


def restore(saved: dict[str, Any]) -> None:
    """Put the generators where they were; those of devices that are not here are left out."""
    version, numbers, gauss = saved["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    torch.set_rng_state(saved["torch"].clone())
    if "numpy" in saved and "numpy" in sys.modules:
        kind, keys, *rest = saved["numpy"]
        numpy = sys.modules["numpy"]
        numpy.random.set_state((kind, numpy.array(keys.tolist(), dtype=numpy.uint32), *rest))
    for device, state in enumerate(saved.get("cuda", ())[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state.clone(), device)
