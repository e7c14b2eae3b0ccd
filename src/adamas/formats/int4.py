"""``int4``: half a byte an element and a scale, 0.56 bytes.

Code map of a slot that has signs (m), blocks of 32, with s the bfloat16 nearest to their largest magnitude:

    q = round(7 m / s) in -7..7,   read as m = q s / 7

Code map of a slot without (v), blocks of 64, with V their largest value: 16 codes, two an octave.

    q = 15 - round(2 log2(V / v)), at least 0,   read as v = S 2^(-(15 - q) / 2),   S = V sum(v) / sum(read v)

so that the block's sum stays what it was. No code is zero: no positive v is read as zero. Rounding is always to
nearest: at random, codes this coarse would blow v up.

Codes are packed into int32, eight in each: of every 32 elements of a row, byte j holds element j below and element
j + 16 above.

Relative error: of m up to s / 14; of v 19 % at most (9 % of the step), and a span of 181 within a block.

What goes wrong: what lies below 1/14 of its block's largest m counts as zero until it grows, and a code up to 4 stays
where it is when its gradients become zero (0.9 * 4 rounds to 4); v below 1/181 of its block's largest is read as that:
too large, steps too small, which also bounds what such an m can do. v of a block follows, that of its elements hardly:
they keep their share of it. Embeddings and norms are better off in int8 or more:
``state_format={"*.embed*": "float32", ...}``.
"""

from __future__ import annotations

import torch

from adamas.formats.blocks import (
    HUGE,
    SIGNED_TINY,
    TINY,
    blocks_of,
    cut,
    flushed,
    joined,
    lane_sum,
    largest,
    over,
    real_shape,
    rows_of,
)
from adamas.formats.format import Format, Stored
from adamas.rounding import Dice, Rounding

SIGNED_BLOCK, UNSIGNED_BLOCK, STRIP = 32, 64, 32
# Mantissa bits of 2^(1/4) and 2^(3/4), rounded up: where round(2 log2 f) goes from 0 to 1 and from 1 to 2.
_FIRST, _SECOND = 0x1837F1, 0x5744FD
_PER_7, _HALF_OCTAVE = (float(torch.tensor(x)) for x in (1 / 7, 0.5**0.5))


class Int4(Format):
    """Half a byte an element: see the module."""

    name = "int4"
    blockwise = True

    def allocate(self, p: torch.Tensor, start: float, signed: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return codes of shape (rows, words of a row) and scales of shape (rows, blocks of a row)."""
        rows, length = rows_of(real_shape(p))
        codes = torch.empty(rows, words_of(length), dtype=torch.int32, device=p.device)
        blocks = blocks_of(length, SIGNED_BLOCK if signed else UNSIGNED_BLOCK)
        dtype = torch.bfloat16 if signed else torch.float32
        scale = torch.full((rows, blocks), start, dtype=dtype, device=p.device)
        return codes.fill_((0x77777777 if signed else -1) if start else 0), scale

    def misfit(self, p: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor | None) -> str | None:
        """Say why these cannot be a slot of ``p``, or None if they can."""
        rows, length = rows_of(real_shape(p))
        if codes.shape != (rows, words_of(length)):
            wanted = (rows, words_of(length))
            return f"has shape {tuple(codes.shape)}, for a parameter of {tuple(p.shape)} it must be {wanted}"
        if scale is None or scale.dtype not in (torch.bfloat16, torch.float32):
            return "needs a scale"
        wanted = (rows, blocks_of(length, SIGNED_BLOCK if scale.dtype == torch.bfloat16 else UNSIGNED_BLOCK))
        if scale.shape != wanted:
            return f"needs a scale of shape {wanted}"
        return None if codes.is_contiguous() and scale.is_contiguous() else "is not row-major"

    def read(self, stored: Stored, compute: torch.dtype) -> torch.Tensor:
        """Return the slot's values."""
        assert stored.scale is not None
        codes = _unpack(stored.codes, rows_of(stored.shape)[1])
        scale = stored.scale.float().unsqueeze(-1)
        if stored.signed:
            q = cut(torch.where(codes > 7, codes - 16, codes), SIGNED_BLOCK)
            values = q * (scale * _PER_7)
        else:
            values = _power(cut(codes, UNSIGNED_BLOCK)) * scale
            values = torch.where(values.isnan(), values, flushed(values))
        return joined(values, stored.shape).to(compute)

    def write(self, stored: Stored, values: torch.Tensor, rounding: Rounding, dice: Dice) -> None:
        """Put new values into the slot."""
        assert stored.scale is not None
        if stored.signed:
            q, scale = _encode_signed(cut(values, SIGNED_BLOCK))
        else:
            real = cut(torch.ones_like(values), UNSIGNED_BLOCK)
            q, scale = _encode_unsigned(cut(values, UNSIGNED_BLOCK), real)
        stored.codes.copy_(_pack(joined(q, stored.shape).reshape(rows_of(stored.shape)).long() & 15))
        stored.scale.copy_(scale.squeeze(-1))


def words_of(length: int) -> int:
    """Return how many int32 a row of this length takes.

    Example:
        >>> [words_of(n) for n in (0, 1, 8, 16, 17, 32, 33)]
        [0, 1, 2, 4, 4, 4, 5]
    """
    whole, left = divmod(length, STRIP)
    return 4 * whole + -(-min(left, STRIP // 2) // 4)


def _encode_signed(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    magnitude = x.abs()
    top, _ = largest(magnitude, SIGNED_TINY)
    # Nearest, ties up: at most 2^-8 too small, and 7 (1 + 2^-8) still is nearest to 7. Rounded up it is 1 % less exact.
    short = ((top.view(torch.int32) + 0x8000) & -0x10000).view(torch.float32)
    usable = (short > 0) & (short < HUGE)
    scale = torch.where(usable, short, torch.where(short == 0, 0.0, torch.nan))
    x = torch.where(magnitude >= TINY, x, 0.0)
    return torch.round(x * over(7.0, short, usable)), scale


def _encode_unsigned(x: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    top, usable = largest(x.abs())
    y = flushed(x) * over(1.0, top, usable)
    bits = y.view(torch.int32)
    mantissa = bits & 0x7FFFFF
    q = 15 + 2 * ((bits >> 23) - 127) + (mantissa >= _FIRST).int() + (mantissa >= _SECOND).int()
    q = torch.where(usable, q.clamp(0, 15), 0)
    kept = lane_sum(y) / lane_sum(torch.where(real > 0, _power(q), 0.0))
    return q.float(), torch.where(top > 0, top * kept, top)


def _power(q: torch.Tensor) -> torch.Tensor:
    """Return 2^(-(15 - q) / 2)."""
    below = 15 - q.int()
    octave = ((127 - (below >> 1)) << 23).view(torch.float32)
    return torch.where((below & 1) > 0, octave * _HALF_OCTAVE, octave)


def _pack(q: torch.Tensor) -> torch.Tensor:
    """Return codes (rows, length) of 0..15 as int32 words."""
    rows, length = q.shape
    strips = torch.nn.functional.pad(q, (0, -length % STRIP)).view(rows, blocks_of(length, STRIP), 2, 4, 4)
    octets = strips[:, :, 0] | strips[:, :, 1] << 4
    words = octets[..., 0] | octets[..., 1] << 8 | octets[..., 2] << 16 | octets[..., 3] << 24
    words = words.flatten(1)[:, : words_of(length)]
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def _unpack(words: torch.Tensor, length: int) -> torch.Tensor:
    """Undo `_pack`."""
    whole = torch.nn.functional.pad(words.long() & 0xFFFFFFFF, (0, -words.shape[1] % 4))
    whole = whole.unflatten(1, (blocks_of(length, STRIP), 4, 1))
    octets = (whole >> torch.tensor([0, 8, 16, 24], device=words.device)) & 0xFF
    strips = torch.stack([octets & 15, octets >> 4], 2)
    return strips.flatten(1)[:, :length]


INT4 = Int4()
