"""Numbers as people read them; an infinity is printed as one."""

import math

from adamas.lab.analysis import Band

# Name, size, and the time from which it is used: where fewer digits than four are left before the point.
_UNITS = (("min", 60.0, 999.5), ("s", 1.0, 0.9995), ("ms", 1e-3, 0.9995e-3), ("µs", 1e-6, 0.0))


def significant(value: float, digits: int = 3) -> str:
    """A number with a few significant digits.

    Example:
        >>> significant(0.0123456), significant(1234.5), significant(math.inf)
        ('0.0123', '1,234', '∞')
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if value != 0 and abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def loss(value: float) -> str:
    """A loss, with three significant digits.

    Example:
        >>> loss(0.01), loss(2.5)
        ('0.0100', '2.50')
    """
    return _three(value) if math.isfinite(value) and value >= 1e-4 else significant(value)


def steps(band: Band) -> str:
    """Steps over seeds: the median, and the least and greatest where they differ.

    Example:
        >>> steps(Band(120.0, 100.0, math.inf)), steps(Band(40.0, 40.0, 40.0))
        ('120 [100\u2013∞]', '40')
    """
    if band.low == band.high:
        return significant(band.median, 6)
    return f"{significant(band.median, 6)} [{significant(band.low, 6)}\N{EN DASH}{significant(band.high, 6)}]"


def size(count: int) -> str:
    """A number of bytes.

    Example:
        >>> size(0), size(2048), size(5 * 2**20)
        ('0 B', '2.0 KiB', '5.0 MiB')
    """
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 2**20 else f"{count / 2**20:.1f} MiB"


def duration(seconds: float) -> str:
    """A time with three significant digits, in the unit that suits it.

    Example:
        >>> duration(2.5), duration(0.0034), duration(420e-6), duration(math.inf)
        ('2.50 s', '3.40 ms', '420 µs', '∞')
    """
    if not math.isfinite(seconds):
        return "∞"
    unit, scale = next((unit, scale) for unit, scale, least in _UNITS if seconds >= least)
    return f"{_three(seconds / scale)} {unit}"


def _three(value: float) -> str:
    """Three significant digits, trailing zeros kept so that a column lines up."""
    return f"{value:#.3g}".rstrip(".")
