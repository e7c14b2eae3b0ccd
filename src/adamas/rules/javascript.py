"""Prints rules as JavaScript, for pages that compute in the browser; in float64, as the reference engine would.

A rule becomes an object:

    start(h)                the slots and counters before the first step; ``first`` is 1, the caller makes it 0 after it
    advance(h, t, k)        the counters at step t
    scalars(h, t, k)        the scalars of step t
    update(x, g, c, s)      the new weight; replaces the slots in s
    mean, size              the first and second moment, {slot, scale(h, t)}: scale times the slot has no bias; or null

Its words (`WORDS`) must be in scope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adamas.rules.cpp import example, scalar_names
from adamas.rules.host import Branch, Leaf, Number, trace_host
from adamas.rules.language import trace
from adamas.rules.rule import Rule

__all__ = ["WORDS", "print_rule"]

WORDS = """\
const { sqrt, abs: absolute, fround } = Math;
const sign = (x) => (x > 0) - (x < 0);
const maximum = (a, b) => (a !== a || b !== b ? NaN : a > b ? a : b);
const lerp = (from, to, weight) =>
  Math.abs(weight) < 0.5 ? from + weight * (to - from) : to + (weight - 1) * (to - from);
"""


def print_rule(rule: type[Rule]) -> str:
    """Return one rule as a JavaScript object.

    Example:
        >>> from adamas.rules import SGD
        >>> print(print_rule(SGD))
        {
          start(h) {
            return {};
          },
          advance(h, t, {}) {
            return {};
          },
          scalars(h, t, {}) {
            return { lr: h.lr };
          },
          update(x, g, c, s) {
            const t0 = c.lr * g;
            return x - t0;
          },
          mean: null,
          size: null,
        }
    """
    parts = [
        ("start(h)", [f"return {_object(_start(rule))};"]),
        (f"advance(h, t, {_counters(rule)})", _host(rule, rule.advance, single=True)),
        (f"scalars(h, t, {_counters(rule)})", _host(rule, rule.scalars)),
        ("update(x, g, c, s)", _update(rule)),
    ]
    text = [line for head, body in parts for line in (f"{head} {{", *_indented(body), "},")]
    text += _moment(rule, "mean", rule.first_moment, lambda moment: 1 / moment.whole)
    text += _moment(rule, "size", rule.second_moment, lambda moment: moment.unbias)
    return "\n".join(("{", *_indented(text), "}"))


def _names(rule: type[Rule]) -> tuple[str, ...]:
    """Return the counters besides ``step``, which is t."""
    return tuple(counter.name for counter in rule.counters if counter.name != "step")


def _counters(rule: type[Rule]) -> str:
    return f"{{ {', '.join(_names(rule))} }}" if _names(rule) else "{}"


def _start(rule: type[Rule]) -> dict[str, str]:
    slots = {slot.name: f"h.{slot.start}" if isinstance(slot.start, str) else repr(slot.start) for slot in rule.slots}
    counters = (each for each in rule.counters if each.name in _names(rule))
    return {**slots, **{each.name: repr(each.start if each.stored else 1.0) for each in counters}}


def _update(rule: type[Rule]) -> list[str]:
    slots = tuple(slot.name for slot in rule.slots)
    program = trace(rule.update, slots, scalar_names(rule))
    place = {slot: f"s.{slot}" for slot in slots}
    lines = [(name, operation, tuple(place.get(x, x) for x in operands)) for name, operation, operands in program.lines]
    body = [_line(*line) for line in lines]
    body += [f"s.{slot} = {value};" for slot, value in zip(slots, program.slots, strict=True)]
    return [*body, f"return {' - '.join(('x', *program.steps))};"]


def _host(rule: type[Rule], function: Callable[..., Mapping[str, Any]], single: bool = False) -> list[str]:
    return _way(trace_host(function, tuple(vars(example(rule))), _names(rule), single))


def _moment(rule: type[Rule], name: str, asked: Callable[..., Any], scale: Callable[..., Number | float]) -> list[str]:
    moment = asked(example(rule), 1.0)
    if moment is None:
        return [f"{name}: null,"]
    program = trace_host(lambda h, t: {"scale": scale(asked(h, t))}, tuple(vars(example(rule))))
    body = _indented(_way(program, lambda results: results["scale"]))
    return [f"{name}: {{", f'  slot: "{moment.slot}",', *_indented(["scale(h, t) {", *body, "},"]), "},"]


def _object(entries: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{name}: {value}' for name, value in entries.items())} }}" if entries else "{}"


def _way(way: Leaf | Branch, returned: Callable[[Mapping[str, str]], str] = _object) -> list[str]:
    lines = [_line(*line) for line in way.lines]
    if isinstance(way, Leaf):
        return [*lines, f"return {returned(way.results)};"]
    yes, no = (_indented(_way(each, returned)) for each in (way.yes, way.no))
    return [*lines, f"if ({way.condition}) {{", *yes, "}", *(line.removeprefix("  ") for line in no)]


def _line(name: str, operation: str, operands: tuple[str, ...]) -> str:
    kind, _, sign = operation.rpartition(" ")
    if kind == "single":
        left, right = (f"fround({x})" for x in operands)
        return f"const {name} = fround({left} {sign} {right});"
    if operation == "neg":
        return f"const {name} = -{operands[0]};"
    if operation.isalpha():
        return f"const {name} = {operation}({', '.join(operands)});"
    return f"const {name} = {operands[0]} {operation} {operands[1]};"


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
