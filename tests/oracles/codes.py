"""The code maps of the formats in float64, a block at a time: what a block of values is read as, once stored."""

from __future__ import annotations

import math

BLOCKS = {("int8", True): 128, ("int8", False): 128, ("int4", True): 32, ("int4", False): 64}


def stored(form: str, signed: bool, block: list[float]) -> tuple[list[float], list[float]]:
    """Return what a block is read as, and how far each code was from its rounding's middle (0 .. 1/2: 1/2 is a tie)."""
    top = max(abs(x) for x in block)
    if top == 0:
        return block, [0.0] * len(block)
    return {("int8", True): _m8, ("int4", True): _m4, ("int4", False): _v4}[form, signed](block, top)


def neighbours(block: list[float], read: list[float]) -> tuple[list[float], list[float], list[float]]:
    """Return, for int8 without signs, the least and the most that each element may be read as, with what it is read as.

    That is less than a code away, whatever the random number; at least code 1 if it is not 0.
    """
    top = max(block)
    exact = [255 * (v / top) ** 0.25 if v > 0 else 0.0 for v in block]
    least = [max(t - 1, 1.0) if t > 0 else 0.0 for t in exact]
    most = [max(t + 1, 1.0) if t > 0 else 0.0 for t in exact]
    return [top * (q / 255) ** 4 for q in least], read, [top * (q / 255) ** 4 for q in most]


def _m8(block: list[float], top: float) -> tuple[list[float], list[float]]:
    exact = [127 * math.sqrt(abs(m) / top) for m in block]
    codes = [math.copysign(round(t), m) for t, m in zip(exact, block, strict=True)]
    return [q * abs(q) * top / 127**2 for q in codes], _doubt(exact)


def _m4(block: list[float], top: float) -> tuple[list[float], list[float]]:
    mantissa, exponent = math.frexp(top)
    scale = math.ldexp(math.ceil(mantissa * 256), exponent - 8)  # 8 bits of mantissa, rounded up
    exact = [7 * m / scale for m in block]
    return [round(t) * scale / 7 for t in exact], _doubt(exact)


def _v4(block: list[float], top: float) -> tuple[list[float], list[float]]:
    exact = [15 + 2 * math.log2(v / top) if v > 0 else 0.0 for v in block]
    codes = [min(max(round(t), 0), 15) for t in exact]
    scale = sum(block) / sum(2 ** (-(15 - q) / 2) for q in codes)
    return [scale * 2 ** (-(15 - q) / 2) for q in codes], _doubt(exact)


def _doubt(exact: list[float]) -> list[float]:
    return [abs(t - round(t)) for t in exact]
