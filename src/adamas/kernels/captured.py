"""What the host computes for a step, computed on the device: whether it is taken, the counters, rows of numbers."""

import triton
import triton.language as tl

from adamas.kernels.operands import AROUND
from adamas.kernels.scalars_generated import scalars

# Before the rule's own, each tensor's group has these hyper-parameters; then there is lr, which all rules have first.
_DECAY, _MODE, _SIGN, _MAX_LR, _RULES = map(tl.constexpr, range(5))
_TILE = tl.constexpr(1024)


@triton.jit
def decide_kernel(sums, blocks, found_inf, scale, limit, go, seen, skipped, SKIP: tl.constexpr, CLIP: tl.constexpr):
    """Decide whether the step is taken, and what gradients are multiplied with.

    Args:
        sums: the sum of squares of each block of all gradients (float64), if SKIP or CLIP.
        blocks: how many there are.
        found_inf: not 0 if the gradient scaler found a gradient that is not finite (float32).
        scale: of the gradient scaler (float32).
        limit: the largest norm (float64).
        go: written: 1 if the step is taken, else 0 (int64).
        seen: written: what gradients are multiplied with, of this 1 / scale; with SKIP or CLIP the sum of squares of
            all gradients as they are given (float64).
        skipped: counts steps that are not taken (int64).
        SKIP: whether gradients that are not finite take no step.
        CLIP: whether gradients are clipped.
    """
    taken = tl.load(found_inf) == 0.0
    unscaled = 1.0 / tl.load(scale).to(tl.float64)
    tl.store(seen + 1, unscaled)
    if SKIP or CLIP:
        lanes = tl.zeros((_TILE,), tl.float64)
        for start in range(0, blocks, _TILE):
            at = start + tl.arange(0, _TILE)
            lanes += tl.load(sums + at, mask=at < blocks, other=0.0)
        total = tl.sum(lanes, axis=0)
        tl.store(seen + 2, total)
        if SKIP:
            taken = taken & (total < float("inf"))
        if CLIP:
            share = tl.load(limit) / (unscaled * tl.sqrt(total) + 0.000001)
            unscaled = unscaled * tl.where(share >= 1.0, 1.0, share)
    tl.store(seen, unscaled)
    tl.store(go, taken.to(tl.int64))
    tl.store(skipped, tl.load(skipped) + 1 - taken.to(tl.int64))


@triton.jit
def _decay(h, lr, mask):
    """Return what the weight is multiplied with, and what of it is added to the gradient (`adamas.engines.hyper`)."""
    decay = tl.load(h + _DECAY, mask=mask, other=0.0)
    mode = tl.load(h + _MODE, mask=mask, other=0.0)
    largest = tl.load(h + _MAX_LR, mask=mask, other=1.0)
    pace = tl.where(mode == 1.0, lr, tl.where(mode == 2.0, lr / largest, lr * lr / largest))
    keep = 1.0 - pace * decay
    return tl.where(mode == 0.0, 1.0, keep), tl.where(mode == 0.0, decay, 0.0)


@triton.jit
def count_kernel(
    counters,
    others,
    group,
    hyper,
    go,
    seen,
    steps,
    numbers,
    count,
    RULE: tl.constexpr,
    OTHERS: tl.constexpr,
    HYPER: tl.constexpr,
    WIDTH: tl.constexpr,
    ITEMS: tl.constexpr,
):
    """Count a step of some tensors, if it is taken, and write a row of numbers for each.

    Args:
        counters: address of each tensor's step (float32).
        others: likewise of its other counter, with OTHERS.
        group: which row of hyper-parameters each tensor has (int32).
        hyper: these (float64).
        go: what `decide_kernel` wrote, and so is seen.
        seen: what gradients are multiplied with.
        steps: written: the step that each tensor is at (float64).
        numbers: written: rows of numbers (float32).
        count: how many tensors there are.
        RULE: number of the rule.
        OTHERS: whether it has another counter.
        HYPER: how many hyper-parameters a row has.
        WIDTH: how many numbers a row has.
        ITEMS: how many tensors a program has.
    """
    i = tl.program_id(0) * ITEMS + tl.arange(0, ITEMS)
    mask = i < count
    counted = i < count * tl.load(go)
    counter = tl.load(counters + i, mask=mask, other=0).to(tl.pointer_type(tl.float32))
    step = tl.load(counter, mask=mask, other=0.0) + 1.0
    t = step.to(tl.float64)
    h = hyper + tl.load(group + i, mask=mask, other=0) * HYPER
    row = numbers + i * WIDTH

    keep, l2 = _decay(h, tl.load(h + _RULES, mask=mask, other=0.5), mask)
    tl.store(row, keep.to(tl.float32), mask=mask)
    tl.store(row + 1, l2.to(tl.float32), mask=mask)
    sign = tl.load(h + _SIGN, mask=mask, other=1.0)
    tl.store(row + 2, (sign * tl.load(seen)).to(tl.float32), mask=mask)
    if OTHERS:
        address = tl.load(others + i, mask=mask, other=0).to(tl.pointer_type(tl.float32))
        other = tl.load(address, mask=mask, other=0.5).to(tl.float64)
        other = scalars(RULE, h + _RULES, row + AROUND, t, mask, other)
        tl.store(address, other.to(tl.float32), mask=counted)
    else:
        scalars(RULE, h + _RULES, row + AROUND, t, mask, t)
    tl.store(steps + i, t, mask=mask)
    tl.store(counter, step, mask=counted)
