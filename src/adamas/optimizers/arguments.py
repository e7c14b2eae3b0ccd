"""What the constructors of optimizers have in common."""

from __future__ import annotations

from typing import Any

import torch

Number = float | torch.Tensor


def collect(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a constructor's arguments as torch's ``defaults``."""
    return {key: value for key, value in arguments.items() if key not in ("self", "params", "__class__")}
