"""The code maps of the formats in float64, a block at a time: what a block of values is read as, once stored."""

from __future__ import annotations

import math

BLOCKS = {("int8", True): 128, ("int8", False): 128, ("int4", True): 32, ("int4", False): 64}


def stored(signed: bool, block: list[float]) -> tuple[list[float], list[float]]:
    """Return what a block of int4 is read as, and how far each code was from a whole number (1/2: a tie)."""
    top = max(abs(x) for x in block)
    if top == 0:
        return block, [0.0] * len(block)
    return _m4(block, top) if signed else _v4(block)


def neighbours(block: list[float], signed: bool) -> tuple[list[float], list[float]]:
    """Return, for int8, the least and the most magnitude that each element may be read as.

    That is less than a code away, whatever the random number; without signs at least code 1 if it is not 0. With signs
    and from code 32 on it is the code whose magnitude is nearest.
    """
    top = max(abs(x) for x in block)
    codes, power, lowest = (127, 2, 0) if signed else (255, 4, 1)
    exact = [codes * (abs(x) / top) ** (1 / power) if x else 0.0 for x in block]
    least = [max(t - 1, lowest) if t > 0 else 0.0 for t in exact]
    most = [max(t + 1, lowest) if t > 0 else 0.0 for t in exact]
    if signed:
        least, most = ([_settled(t, q) for t, q in zip(exact, qs, strict=True)] for qs in (least, most))
    return [top * (q / codes) ** power for q in least], [top * (q / codes) ** power for q in most]


def _settled(t: float, otherwise: float) -> float:
    """Return the code q of 32 or more whose square is nearest to t^2; ``otherwise`` below, and next to a tie."""
    below = math.floor(t)
    middle = (below**2 + (below + 1) ** 2) / 2
    if t * t < 32**2 * (1 + 1e-6) or abs(t * t / middle - 1) < 1e-6:
        return otherwise
    return below + (t * t > middle)


def _m4(block: list[float], top: float) -> tuple[list[float], list[float]]:
    mantissa, exponent = math.frexp(top)
    scale = math.ldexp(math.floor(mantissa * 256 + 0.5), exponent - 8)  # 8 bits of mantissa, to nearest
    exact = [7 * m / scale for m in block]
    return [round(t) * scale / 7 for t in exact], _doubt(exact)


def _v4(block: list[float]) -> tuple[list[float], list[float]]:
    top = max(block)
    exact = [15 + 2 * math.log2(v / top) if v > 0 else 0.0 for v in block]
    codes = [min(max(round(t), 0), 15) for t in exact]
    scale = sum(block) / sum(2 ** (-(15 - q) / 2) for q in codes)
    return [scale * 2 ** (-(15 - q) / 2) for q in codes], _doubt(exact)


def _doubt(exact: list[float]) -> list[float]:
    return [abs(t - round(t)) for t in exact]
