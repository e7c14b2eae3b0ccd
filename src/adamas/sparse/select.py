"""Chooses how the rows of a parameter with a sparse gradient are stepped: lazily or exactly, and by which engine."""

from __future__ import annotations

from typing import Any

import torch

from adamas.engines.cpu import NO_LIBRARY
from adamas.engines.launch import Item
from adamas.engines.select import compiled_engine, wanted_engine
from adamas.rules import Adam as AdamRule
from adamas.rules import AMSGrad, Rule
from adamas.sparse import cpu, triton
from adamas.sparse.gradients import height_of
from adamas.sparse.lag import Behind, Lag
from adamas.sparse.launch import ROW_STEP, RowsLaunch, check_row_steps
from adamas.sparse.reference import ReferenceRows

Lags = dict[torch.Tensor, Lag]


def rows_launch(item: Item, sparse_dim: int, group: dict[str, Any], lags: Lags) -> RowsLaunch:
    """Return the launch of a parameter with a sparse gradient, with what it needs of state made.

    Args:
        item: the parameter.
        sparse_dim: how many dimensions of its gradient are sparse.
        group: its group.
        lags: how far parameters are behind; one that is of no use any more is left there.

    Raises:
        RuntimeError: if its rows cannot be stepped as the group asks for; nothing but state was made then.
    """
    height = height_of(item.param, sparse_dim)
    _check_rows(item, sparse_dim)
    exact = group["sparse"] == "exact"
    if exact:
        _check_exact_state(item)
    elif group["row_steps"]:
        _make_row_steps(item, height)
    lag = None
    if exact:
        known = lags.get(item.owner)
        fits = known is not None and known.belongs_to(item, height)
        lag = known if fits else Lag(item, height, int(item.state["step"].item()))
    launch = _engine(item, sparse_dim, group["engine"])(item, sparse_dim, lag)
    launch.check(group)
    return launch


def catch_up_copy(item: Item, engine: str, behind: Behind) -> None:
    """Catch up a parameter that was copied while its rows lagged.

    Args:
        item: the copy, its state and how they are written.
        engine: what its group asks for.
        behind: copied with it.
    """
    lag = Lag(item, len(behind.last), behind.table.now)
    lag.last, lag.table = behind.last, behind.table
    _engine(item, behind.sparse_dim, engine)(item, behind.sparse_dim, lag)
    lag.flush()


def _engine(item: Item, sparse_dim: int, asked: str) -> type[RowsLaunch]:
    wanted = wanted_engine(asked)
    if wanted == "reference":
        return ReferenceRows
    on_gpu = compiled_engine(item.param, wanted) == "triton"
    why = triton.refuse(item) if on_gpu else cpu.refuse(item, sparse_dim)
    if why is None:
        return triton.TritonRows if on_gpu else cpu.CpuRows
    if wanted == "auto" or why == NO_LIBRARY:
        return ReferenceRows
    raise RuntimeError(
        f"engine='{wanted}' cannot step rows of {item.name}: {why}; use engine='auto' or engine='reference'"
    )


def _check_rows(item: Item, sparse_dim: int) -> None:
    """Raise RuntimeError if rows cannot be told apart in the weight or its moments."""
    if any(slot.format.blockwise for slot in item.slots) and (sparse_dim != 1 or item.owner.dim() < 2):
        raise RuntimeError(
            f"{item.name} of shape {tuple(item.owner.shape)} has a gradient with {sparse_dim} sparse dimensions, and "
            f"moments in blocks that such rows would share: use state_format='float32', or one sparse dimension of "
            f"several"
        )
    plain = [slot.codes for slot in item.slots if not slot.format.blockwise]
    for x in (item.param, *plain) if sparse_dim > 1 else ():
        if not x.is_contiguous():
            raise RuntimeError(
                f"{item.name} has a gradient with {sparse_dim} sparse dimensions and is not contiguous: make it so, or "
                f"use a gradient with sparse_dim=1"
            )


def _check_exact_state(item: Item) -> None:
    """Raise RuntimeError for a rule or moments that cannot be caught up."""
    rule: type[Rule] = item.rule
    if rule not in (AdamRule, AMSGrad):
        raise RuntimeError(
            f"{item.name} has a sparse gradient, and sparse='exact' is for Adam, AdamW and AMSGrad, not for "
            f"{rule.__name__}: use sparse='lazy', or p.grad.to_dense() before the step"
        )
    formats = [slot.format.name for slot in item.slots if slot.format.blockwise]
    if formats:
        raise RuntimeError(
            f"{item.name} has a sparse gradient, and sparse='exact' does not go with moments in {formats[0]}: use "
            f"state_format='float32' or 'bfloat16', or sparse='lazy'"
        )


def _make_row_steps(item: Item, height: int) -> None:
    """Make the counters of the rows' own steps."""
    check_row_steps(item.name, item.rule.counters)
    counter = item.state.get(ROW_STEP)
    if counter is None:
        item.state[ROW_STEP] = torch.zeros(height, dtype=torch.int32, device=item.param.device)
    elif counter.shape != (height,) or counter.dtype != torch.int32:
        raise RuntimeError(
            f"{ROW_STEP} of {item.name} is {counter.dtype} of shape {tuple(counter.shape)}, it must be int32 of shape "
            f"({height},): del optimizer.state[p][{ROW_STEP!r}] to count its rows' steps afresh"
        )
