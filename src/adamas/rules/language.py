"""The vocabulary rules are written in: it runs on tensors, and on symbols it records a program.

A rule's ``update`` is elementwise Python over ``+ - * /`` and the functions below. Given tensors it *is* the
reference. Given symbols it leaves behind a straight-line `Program`, which is printed as C++ (`adamas.rules.cpp`).
Both must give the same bits, so every word here is one correctly rounded operation (or a fixed sequence of them)
in both worlds: no fused multiply-add, no ``addcmul``, no ``torch.lerp``.

Expressions of scalars alone are refused while tracing: they belong to ``scalars``, where they are computed once,
in float64. (In float32 ``1 - 0.999`` is already wrong by 1.3e-5.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

__all__ = ["Program", "Symbol", "absolute", "lerp", "maximum", "sign", "split", "sqrt", "trace"]


class Program:
    """A straight-line program: ``lines`` of (name, operation, operands), each name assigned once.

    Attributes:
        lines: the operations, in order.
        steps: names of the values to subtract from the weight, one after the other.
        slots: names of the new values of the slots.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, tuple[str, ...]]] = []
        self.steps: tuple[str, ...] = ()
        self.slots: tuple[str, ...] = ()

    def emit(self, operation: str, *operands: Symbol | float) -> Symbol:
        """Record one operation and return the symbol of its result."""
        if all((isinstance(x, Symbol) and x.scalar) or not isinstance(x, Symbol) for x in operands):
            written = ", ".join(_spell(x) for x in operands)
            raise TypeError(
                f"{operation}({written}) has only scalars: compute it in scalars(), in float64, once per step"
            )
        name = f"t{len(self.lines)}"
        self.lines.append((name, operation, tuple(_spell(x) for x in operands)))
        return Symbol(self, name)


class Symbol:
    """Stands for a tensor (or, with ``scalar``, for one of the numbers of ``scalars``) while a rule is traced."""

    def __init__(self, program: Program, name: str, scalar: bool = False) -> None:
        self.program, self.name, self.scalar = program, name, scalar

    def __add__(self, other: Symbol | float) -> Symbol:
        return self.program.emit("+", self, other)

    def __radd__(self, other: float) -> Symbol:
        return self.program.emit("+", other, self)

    def __sub__(self, other: Symbol | float) -> Symbol:
        return self.program.emit("-", self, other)

    def __rsub__(self, other: float) -> Symbol:
        return self.program.emit("-", other, self)

    def __mul__(self, other: Symbol | float) -> Symbol:
        return self.program.emit("*", self, other)

    def __rmul__(self, other: float) -> Symbol:
        return self.program.emit("*", other, self)

    def __truediv__(self, other: Symbol | float) -> Symbol:
        return self.program.emit("/", self, other)

    def __rtruediv__(self, other: float) -> Symbol:
        return self.program.emit("/", other, self)

    def __neg__(self) -> Symbol:
        return self.program.emit("neg", self)


# What a rule computes with: tensors when it runs, symbols when it is traced.
Value: TypeAlias = Any


def _spell(operand: Symbol | float) -> str:
    return operand.name if isinstance(operand, Symbol) else repr(float(operand))


def _word(name: str, on_tensors: Callable[..., Value], summary: str) -> Callable[..., Value]:
    """Make a vocabulary word: the torch function on tensors, a recorded operation on symbols."""

    def word(*operands: Value) -> Value:
        for operand in operands:
            if isinstance(operand, Symbol):
                return operand.program.emit(name, *operands)
        return on_tensors(*operands)

    word.__name__ = word.__qualname__ = name
    word.__doc__ = summary
    return word


def _maximum(a: torch.Tensor, b: torch.Tensor | float) -> torch.Tensor:
    return torch.maximum(a, b) if isinstance(b, torch.Tensor) else torch.clamp_min(a, b)


def _lerp(start: torch.Tensor, end: torch.Tensor, weight: float) -> torch.Tensor:
    # torch.lerp's two forms (the far one keeps weight = 1 exact), without the fused multiply-add it may use.
    # The weight is rounded to the tensors' dtype first, because that is the number the compiled engines see.
    weight = torch.tensor(weight, dtype=start.dtype).item()
    if abs(weight) < 0.5:
        return start + weight * (end - start)
    return end + (weight - 1.0) * (end - start)


def _sqrt(x: torch.Tensor) -> torch.Tensor:
    # torch.sqrt on the CPU may come from a vector library that is an ulp off (17 % of float32 results with the
    # MKL of torch 2.13). A float32 root rounded from a float64 one is exact; for float64 the complex square root
    # goes through the C library, which is exact on the real axis.
    if x.device.type != "cpu":
        return torch.sqrt(x)
    if x.dtype == torch.float32:
        return torch.sqrt(x.double()).float()
    return torch.where(x < 0, torch.nan, torch.sqrt(torch.complex(x, torch.zeros_like(x))).real)


sqrt = _word("sqrt", _sqrt, "Square root, correctly rounded; NaN below zero.")
absolute = _word("absolute", torch.abs, "Absolute value.")
sign = _word("sign", torch.sign, "-1, 0 or 1; 0 for NaN.")
maximum = _word("maximum", _maximum, "The larger of two values; NaN if either is NaN.")
lerp = _word("lerp", _lerp, "start + weight (end - start), exactly end at weight = 1; weight is a scalar.")


class _Scalars:
    """The ``c`` of ``update`` while tracing: attribute access gives the scalar's symbol."""

    def __init__(self, program: Program, names: tuple[str, ...]) -> None:
        self._program, self._names = program, names

    def __getattr__(self, name: str) -> Symbol:
        if name not in self._names:
            raise AttributeError(f"scalars() gives no {name!r}; it gives {', '.join(self._names)}")
        return Symbol(self._program, f"c.{name}", scalar=True)


def trace(update: Callable[..., Any], slots: tuple[str, ...], scalars: tuple[str, ...]) -> Program:
    """Run ``update`` on symbols and return the program it recorded.

    Args:
        update: ``update(g, *slots, c) -> (u, *new slots)``, or ``u`` alone for a rule without slots.
        slots: names of the slots, in the order of the arguments.
        scalars: names of the entries of ``scalars(h, t)``.

    Example:
        >>> program = trace(lambda g, m, c: (c.lr * g, m + g), ("m",), ("lr",))
        >>> program.lines
        [('t0', '*', ('c.lr', 'g')), ('t1', '+', ('m', 'g'))]
        >>> program.steps, program.slots
        (('t0',), ('t1',))
    """
    program = Program()
    symbols = [Symbol(program, name) for name in ("g", *slots)]
    steps, new = split(update(*symbols, _Scalars(program, scalars)))
    if len(new) != len(slots):
        raise TypeError(f"update must return the step and {len(slots)} new slots, it returned {len(new)} slots")
    program.steps, program.slots = tuple(map(_spell, steps)), tuple(map(_spell, new))
    return program


def split(result: Any) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """Return the steps and the new slots of what an ``update`` returned.

    Example:
        >>> split(1), split((1, 2)), split(((1, 2), 3))
        (((1,), ()), ((1,), (2,)), ((1, 2), (3,)))
    """
    u, *new = result if isinstance(result, tuple) else (result,)
    return u if isinstance(u, tuple) else (u,), tuple(new)
