"""torch's own table of optimizer inputs: on each of them, every engine follows torch's for-loop."""

from __future__ import annotations

import re
import warnings
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch
from torch.testing._internal.common_optimizers import (
    ErrorOptimizerInput,
    OptimizerErrorEnum,
    OptimizerInfo,
    _get_optim_inputs_including_global_cliquey_kwargs,
    optim_db,
)

from .following import Run, assert_follows, watched
from .pairs import TORCH_NAMES, every_engine, ours, theirs
from .training import gradients, train, weights

INFOS: dict[str, OptimizerInfo] = {info.name: info for info in optim_db if info.name in TORCH_NAMES}

# Hints about which of torch's writings of the formula runs. The number they lead to is the same, here at
# least.
HINTS = ("foreach", "fused", "differentiable")
# The two modes that may be refused, with an error that names them.
MODES = ("differentiable", "capturable")

Row = tuple[str, str, dict[str, Any]]


def inputs() -> list[Row]:
    """The table's rows for the CPU with every hint, plus the ones with foreach and capturable for GPUs."""
    rows: list[Row] = []
    for name, info in INFOS.items():
        listed = _get_optim_inputs_including_global_cliquey_kwargs("cpu", torch.float32, info)
        rows += [(name, row.desc, row.kwargs) for row in listed]
        plain = info.optim_inputs_func("cpu")
        rows += [(name, f"{row.desc} & foreach", {**row.kwargs, "foreach": True}) for row in plain]
        on_gpu = info.optim_inputs_func("cuda")[len(plain) :]
        rows += [(name, f"{row.desc} & gpu", row.kwargs) for row in on_gpu]
        rows += [(name, f"{row.desc}, not capturable", {**row.kwargs, "capturable": False}) for row in on_gpu]
    return rows


INPUTS = inputs()


def test_the_table_knows_every_optimizer():
    assert set(INFOS) == set(TORCH_NAMES)
    assert len(INPUTS) > 150


def plain_parameters(dtype: torch.dtype) -> list[torch.Tensor]:
    """Parameters outside of autograd: a differentiable step may not write to a leaf that requires grad."""
    return [p.detach() for p in weights(dtype=dtype)]


def plain_numbers(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(plain_numbers(element) for element in value)
    return value.item() if isinstance(value, torch.Tensor) else value


def without_hints(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a row. Those in tensors as floats: torch corrects biases in the tensor's own float32."""
    return {key: plain_numbers(value) for key, value in kwargs.items() if key not in (*HINTS, "capturable")}


@cache
def torchs_run(name: str, row: int, dtype: torch.dtype) -> Run:
    """One training for all rows that differ in hints only; `row` is the first of them."""
    params = plain_parameters(dtype)
    optimizer = theirs(name, params, **without_hints(INPUTS[row][2]))
    return watched(optimizer, params, gradients(params))


def first_alike(row: int) -> int:
    name, _, kwargs = INPUTS[row]
    alike = (name, repr(without_hints(kwargs)))
    return next(i for i, (n, _, other) in enumerate(INPUTS) if (n, repr(without_hints(other))) == alike)


@every_engine
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("row", range(len(INPUTS)), ids=[f"{name}-{desc}" for name, desc, _ in INPUTS])
def test_follows_torch(row: int, dtype: torch.dtype, engine: str):
    name, _, kwargs = INPUTS[row]
    params = plain_parameters(dtype)
    try:
        optimizer = ours(name, params, engine, **deepcopy(kwargs))
        train(optimizer, params, gradients(params))
    except (NotImplementedError, RuntimeError, ValueError) as error:
        if not any(kwargs.get(mode) and mode in str(error) for mode in MODES):
            raise
    else:
        assert_follows(optimizer, params, torchs_run(name, first_alike(row), dtype))


def errors() -> list[tuple[str, ErrorOptimizerInput]]:
    rows = []
    for name, info in INFOS.items():
        assert info.optim_error_inputs_func is not None
        rows += [(name, error) for error in info.optim_error_inputs_func("cpu", torch.float32)]
    return rows


@pytest.mark.parametrize(
    ("name", "error"), errors(), ids=[f"{name}-{e.optimizer_error_input.desc}" for name, e in errors()]
)
def test_refuses_with_torchs_words(name: str, error: ErrorOptimizerInput):
    assert error.error_on is OptimizerErrorEnum.CONSTRUCTION_ERROR
    row = error.optimizer_error_input
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning that the table expects counts as its error
        with pytest.raises(error.error_type, match=error.error_regex):
            ours(name, row.params, **row.kwargs)


# The table lists these for GPUs only, but torch's constructor refuses them on any device.
CONFLICTS = [
    (name, hints, words)
    for name in ("SGD", "Adagrad", "Adam", "AdamW")
    for hints, words in (
        ({"fused": True, "foreach": True}, "`fused` and `foreach` cannot be `True` together"),
        ({"fused": True, "differentiable": True}, "`fused` does not support `differentiable`"),
    )
]


@pytest.mark.parametrize(("name", "hints", "words"), CONFLICTS)
def test_refuses_hints_that_contradict_each_other(name: str, hints: dict[str, bool], words: str):
    with pytest.raises(RuntimeError, match=re.escape(words)):
        ours(name, weights(), **hints)
