"""A module's state: checked as a whole before any of it is loaded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from adamas.checkpoint.matching import LoadReport


def model_state(model: torch.nn.Module) -> dict[str, Any]:
    """Return a module's state with the versions of its parts, which torch keeps in an attribute of the dict."""
    state = model.state_dict()
    return {"state": dict(state), "versions": dict(getattr(state, "_metadata", {}))}


def check_model(model: torch.nn.Module, saved: dict[str, Any]) -> LoadReport:
    """Say what of a saved state does not fit a module.

    Example:
        >>> check_model(torch.nn.Linear(2, 1), model_state(torch.nn.Linear(3, 1, bias=False))).missing
        ('bias',)
    """
    own, state = model.state_dict(), saved["state"]
    return LoadReport(
        tuple(name for name in own if name not in state),
        tuple(name for name in state if name not in own),
        tuple(
            f"{name} has shape {tuple(state[name].shape)} in the checkpoint, the model has {tuple(x.shape)}"
            for name, x in own.items()
            if isinstance(x, torch.Tensor) and name in state and state[name].shape != x.shape
        ),
    )


def load_model(model: torch.nn.Module, saved: dict[str, Any]) -> None:
    """Load what fits; call `check_model` first to know what does not."""
    own = model.state_dict()
    fitting: OrderedDict[str, Any] = OrderedDict(
        (name, x)
        for name, x in saved["state"].items()
        if name in own and (not isinstance(x, torch.Tensor) or x.shape == own[name].shape)
    )
    fitting._metadata = saved["versions"]  # type: ignore[attr-defined]  # where torch looks for them
    model.load_state_dict(fitting, strict=False)
