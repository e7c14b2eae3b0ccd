"""``int8``: 1 byte an element and a float32 scale for every 128, 1.03 bytes.

Code map of a slot that has signs (m), with s the largest magnitude of the block: a power law of 2.

    q = sign(m) sqrt(|m| 127^2 / s), below 32 rounded at random, else to nearest,   read as m = q |q| s / 127^2

Code map of a slot without (v): the same for its root r = sqrt(v), which is what a step divides by, with R the block's
largest root. For v that is a power law of 4.

    q = sqrt(r 255^2 / R), rounded at random, at least 1 if v > 0,   read as v = (q^2 R / 255^2)^2

Zero is exactly zero and stays it, signs are kept, and no positive v is read as zero: a step never divides by eps alone.
With k = floor(sqrt(w)), w = |m| 127^2 / s goes up to k + 1 with the probability (w - k^2) / (2 k + 1), and v likewise
with fourth powers: so what is read is right on average, in the moment itself (in its root it would be a drift). To
nearest, both would stall. beta2 = 0.999 moves v by 0.1 % a step, and codes lie 1 to 6 % apart. m without gradients
decays by b a step, and to nearest that leaves any code q where it is of which b q^2 >= q^2 - q + 1/2, which is those
up to 1 / (1 - b): 9 of b = 0.9, 19 of 0.95, 31 of 0.968. From there on m is rounded to nearest, which has half the
variance; of an m within (31 / 127)^2 = 6 % of the block's largest, no b up to 0.968 leaves anything standing.

Random numbers are cheap and even: a block has one of 32 bits, h, and its element i gets h + 2654435769 i mod 2^32, a
golden section of the circle further each time, so that as many elements of a block go up as should. h is a hash of the
seed, the tensor's name, the step and the mantissa of R: of nothing that changes when rows move to another machine, or
when gradients are scaled by a power of 2. m takes the upper 12 bits of it, v 23.

Relative distance of neighbouring codes: 2 / q for m, 4 / q for v.

What goes wrong: within a block v spans 10 decades at most (4e9); below, it is read as the smallest code: too large,
steps too small. With b = 0.99, an m whose gradients are zero stays at its code, if that is one of 32 to 99, for as long
as the block's largest m does not change by more than a code's width, 2 / q, from step to step.
"""

from __future__ import annotations

import torch

from adamas.formats.blocks import (
    SIGNED_TINY,
    blocks_of,
    cut,
    flushed,
    joined,
    largest,
    over,
    real_shape,
    root,
    rows_of,
)
from adamas.formats.format import Format, Stored
from adamas.rounding import Dice, Rounding

BLOCK = 128
_SIGNED, _UNSIGNED = 127.0**2, 255.0**2
_SETTLED = 32.0**2  # from this w on, m is rounded to nearest
_GOLDEN = 2654435769  # 2^32 over the golden ratio
# Factors, as float32: a division by a constant is not one operation everywhere.
_PER_SIGNED, _PER_UNSIGNED = (float(torch.tensor(1 / x)) for x in (_SIGNED, _UNSIGNED))


class Int8(Format):
    """A byte an element: see the module."""

    name = "int8"
    blockwise = True

    def allocate(self, p: torch.Tensor, start: float, signed: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return codes of the shape of ``p``, row-major, and scales of shape (rows, blocks of a row)."""
        shape = real_shape(p)
        rows, length = rows_of(shape)
        codes = torch.empty(shape, dtype=torch.int8 if signed else torch.uint8, device=p.device)
        scale = torch.full((rows, blocks_of(length, BLOCK)), start if signed else start**0.5, device=p.device)
        return codes.fill_((127 if signed else 255) if start else 0), scale

    def misfit(self, p: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor | None) -> str | None:
        """Say why these cannot be a slot of ``p``, or None if they can."""
        shape = real_shape(p)
        rows, length = rows_of(shape)
        wanted = (rows, blocks_of(length, BLOCK))
        if codes.shape != shape:
            return f"has shape {tuple(codes.shape)}, the parameter has {tuple(p.shape)}"
        if scale is None or scale.shape != wanted or scale.dtype != torch.float32:
            return f"needs a float32 scale of shape {wanted}"
        return None if codes.is_contiguous() and scale.is_contiguous() else "is not row-major"

    def read(self, stored: Stored, compute: torch.dtype) -> torch.Tensor:
        """Return the slot's values."""
        assert stored.scale is not None
        q, scale = cut(stored.codes, BLOCK), stored.scale.unsqueeze(-1)
        if stored.signed:
            values = (q * q.abs()) * (scale * _PER_SIGNED)
        else:
            square_root = (q * q) * (scale * _PER_UNSIGNED)
            values = square_root * square_root
            values = torch.where(values.isnan(), values, flushed(values))
        return joined(values, stored.shape).to(compute)

    def write(self, stored: Stored, values: torch.Tensor, rounding: Rounding, dice: Dice) -> None:
        """Put new values into the slot."""
        assert stored.scale is not None
        x = cut(values, BLOCK)
        if stored.signed:
            q, scale = _encode_signed(x, dice)
        else:
            q, scale = _encode_unsigned(x, dice)
        stored.codes.copy_(joined(q, stored.shape))
        stored.scale.copy_(scale.squeeze(-1))


def _encode_signed(x: torch.Tensor, dice: Dice) -> tuple[torch.Tensor, torch.Tensor]:
    scale, usable = largest(x.abs(), SIGNED_TINY)
    w = flushed(x.abs()) * over(_SIGNED, scale, usable)
    s = torch.where(w < _SETTLED, _chance(scale, dice, 12), 0.5)
    # k + 1 rather than k where s >= 1 - (w - k^2) / (2 k + 1), which is (k + 1 - s)^2 <= w - s + s^2: solved for k + 1.
    # With s = 1/2 that is to nearest, w against k^2 and (k + 1)^2.
    # 12 bits have an exact square, so that the kernels may fuse it with the sum.
    q = (root(((w - s) + s * s).clamp_min(0.0)) + s).floor()
    return torch.where(usable, torch.sign(x) * q, 0.0), scale


def _encode_unsigned(v: torch.Tensor, dice: Dice) -> tuple[torch.Tensor, torch.Tensor]:
    r = root(torch.where(v.isnan(), v, flushed(v)))
    scale, usable = largest(r)
    y = r * over(_UNSIGNED, scale, usable)
    k = root(y).floor()
    square = k * k
    # y^2 - k^4 and (k + 1)^4 - k^4, in factors.
    steps = (2.0 * k + 1.0) * (2.0 * (square + k) + 1.0)
    up = _chance(scale, dice, 23) * steps < (y - square) * (y + square)
    return torch.where(usable & (r > 0), (k + up).clamp(1.0, 255.0), 0.0), scale


def _chance(scale: torch.Tensor, dice: Dice, bits: int) -> torch.Tensor:
    """Return numbers in 0..1, never 1, for the elements of blocks."""
    h = dice.hash(scale.contiguous().view(torch.int32).long() & 0x7FFFFF)
    further = torch.arange(BLOCK, device=scale.device) * _GOLDEN
    return (((h + further) & 0xFFFFFFFF) >> (32 - bits)) * 2.0**-bits


INT8 = Int8()
