"""Traces what a rule computes on the host: numbers made of hyper-parameters, the step and counters.

``scalars``, ``advance`` and ``first_moment`` are plain Python on floats. Given `Number`s they leave behind a program,
as ``update`` does given symbols; but they may also ask (``rho > 5``), and then the program has two branches. It is
found by running the function once for every way through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

__all__ = ["Branch", "Leaf", "Number", "host_sqrt", "trace_host"]


@dataclass(frozen=True)
class Leaf:
    """The end of a way through a function: ``lines`` as in `Program`, and what it returned, by name."""

    lines: tuple[tuple[str, str, tuple[str, ...]], ...]
    results: Mapping[str, str]


@dataclass(frozen=True)
class Branch:
    """``lines``, and then one of two ways, by whether ``condition`` is true."""

    lines: tuple[tuple[str, str, tuple[str, ...]], ...]
    condition: str
    yes: Leaf | Branch
    no: Leaf | Branch


class _UndecidedError(Exception):
    """A condition came up that nobody has decided yet."""


class _Way:
    """One way through a function: the lines so far, and the conditions decided in advance."""

    def __init__(self, decided: Mapping[str, bool]) -> None:
        self.lines: list[tuple[str, str, tuple[str, ...]]] = []
        self._decided = decided

    def emit(self, operation: str, *operands: Number | float, single: bool = False) -> Number:
        name = f"n{len(self.lines)}"
        self.lines.append((name, operation, tuple(map(spell, operands))))
        return Number(self, name, single)

    def decide(self, condition: str) -> bool:
        if condition not in self._decided:
            raise _UndecidedError(condition)
        return self._decided[condition]


class Number:
    """Stands for a number on the host while a function is traced.

    Args:
        way: where its operations are recorded.
        name: its name there.
        single: whether it is a float32, as counters are: arithmetic with it is rounded to one.
    """

    def __init__(self, way: _Way, name: str, single: bool = False) -> None:
        self.way, self.name, self.single = way, name, single

    def _with(self, operation: str, left: Number | float, right: Number | float) -> Number:
        single = self.single and operation == "*"
        return self.way.emit(f"single {operation}" if single else operation, left, right, single=single)

    def __add__(self, other: Number | float) -> Number:
        return self._with("+", self, other)

    def __radd__(self, other: float) -> Number:
        return self._with("+", other, self)

    def __sub__(self, other: Number | float) -> Number:
        return self._with("-", self, other)

    def __rsub__(self, other: float) -> Number:
        return self._with("-", other, self)

    def __mul__(self, other: Number | float) -> Number:
        return self._with("*", self, other)

    def __rmul__(self, other: float) -> Number:
        return self._with("*", other, self)

    def __truediv__(self, other: Number | float) -> Number:
        return self._with("/", self, other)

    def __rtruediv__(self, other: float) -> Number:
        return self._with("/", other, self)

    def __pow__(self, other: Number | float) -> Number:
        return self._with("**", self, other)

    def __rpow__(self, other: float) -> Number:
        return self._with("**", other, self)

    def __lt__(self, other: Number | float) -> Number:
        return self._with("<", self, other)

    def __gt__(self, other: Number | float) -> Number:
        return self._with(">", self, other)

    def __bool__(self) -> bool:
        return self.way.decide(self.name)

    def __float__(self) -> float:
        raise TypeError(f"{self.name} has no value while it is traced: of math, take what adamas.rules.host offers")


def host_sqrt(x: Any) -> Any:
    """Return the square root of a float; of a `Number`, record it.

    Example:
        >>> host_sqrt(9.0)
        3.0
    """
    return x.way.emit("sqrt", x) if isinstance(x, Number) else math.sqrt(x)


def spell(value: Number | float) -> str:
    """Return a number's name, or the float as Python writes it."""
    return value.name if isinstance(value, Number) else repr(float(value))


def trace_host(
    function: Callable[..., Mapping[str, Any]], hyper: Sequence[str], counters: Sequence[str] = (), single: bool = False
) -> Leaf | Branch:
    """Return the program of a function of hyper-parameters, the step and counters.

    Args:
        function: ``function(h, t, **counters) -> {name: number}``.
        hyper: the hyper-parameters, ``h.lr`` and so on.
        counters: names of the counters.
        single: whether counters are float32 that stay so when multiplied, as in ``advance``.

    Example:
        >>> trace_host(lambda h, t: {"unbias": 1 / (1 - h.beta**t)}, ["beta"]).lines
        (('n0', '**', ('h.beta', 't')), ('n1', '-', ('1.0', 'n0')), ('n2', '/', ('1.0', 'n1')))
        >>> trace_host(lambda h, t: {"lr": h.lr if t < 5 else 0.0}, ["lr"]).no.results
        {'lr': '0.0'}
    """

    def grow(decided: dict[str, bool], known: int) -> Leaf | Branch:
        way = _Way(decided)
        h = SimpleNamespace(**{name: Number(way, f"h.{name}") for name in hyper})
        try:
            results = function(h, Number(way, "t"), **{name: Number(way, name, single) for name in counters})
        except _UndecidedError as asked:
            (condition,) = asked.args
            ways = (grow({**decided, condition: answer}, len(way.lines)) for answer in (True, False))
            return Branch(tuple(way.lines[known:]), condition, *ways)
        return Leaf(tuple(way.lines[known:]), {name: spell(value) for name, value in results.items()})

    return grow({}, 0)
