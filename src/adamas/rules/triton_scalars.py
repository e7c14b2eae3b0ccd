"""Prints the rules' scalars as Triton: ``python -m adamas.rules.triton_scalars`` rewrites their file.

In a captured step (``capturable=True``) the host says nothing: a kernel counts steps and computes from them, in
float64, what ``scalars`` computes on the host. The numbers are those of the host within the rounding of ``**``, which
is exp(b log(a)) here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from adamas.rules import CAPTURABLE, COMPILED
from adamas.rules.cpp import scalar_names
from adamas.rules.generated import write_or_check
from adamas.rules.host import Branch, Leaf, trace_host
from adamas.rules.rule import Rule

FILE = Path(__file__).parents[1] / "kernels" / "scalars_generated.py"

_OPENING = '''\
"""The rules' scalars, printed from src/adamas/rules by `python -m adamas.rules.triton_scalars`. Do not edit.

Each takes for some tensors the addresses of their hyper-parameters h (float64) and of their scalars c (float32), which
it writes, the step t, and the counter besides the step, if the rule has one, which it returns as it is after this step.
"""

import triton
import triton.language as tl

from adamas.kernels.vocabulary import power

'''


def hyper_names(rule: type[Rule]) -> tuple[str, ...]:
    """Return the rule's hyper-parameters in the order in which kernels find them.

    Example:
        >>> from adamas.rules import Adam
        >>> hyper_names(Adam)
        ('lr', 'beta1', 'beta2', 'eps')
    """
    names = (("beta1", "beta2") if name == "betas" else (name,) for name in rule.defaults)
    return tuple(name for pair in names for name in pair)


def other_counters(rule: type[Rule]) -> tuple[str, ...]:
    """Return the rule's counters besides ``step``."""
    return tuple(counter.name for counter in rule.counters if counter.name != "step")


def print_scalars(rule: type[Rule]) -> str:
    """Return one rule's scalars as a Triton function."""
    hyper, others = hyper_names(rule), other_counters(rule)
    advanced = trace_host(rule.advance, hyper, others, single=True)
    program = trace_host(rule.scalars, hyper, others)
    first, after = _way(advanced, "a", {})
    second, results = _way(program, "n", {})
    body = [*first, *(f"{name} = {after[name]}" for name in others if after[name] != name), *second]
    stored = [
        f"tl.store(c + {i}, {_wide(results[name])}.to(tl.float32), mask=mask)"
        for i, name in enumerate(scalar_names(rule))
    ]
    loads = [f"h_{name} = tl.load(h + {i}, mask=mask, other=0.5)" for i, name in enumerate(hyper)]
    lines = _needed([*loads, *body], [*stored, *others])
    return "\n".join(
        [
            "",
            "@triton.jit",
            f"def {_name(rule)}({', '.join(['h', 'c', 't', 'mask', *others])}):",
            f'    """{(rule.__doc__ or rule.__name__).splitlines()[0]}"""',
            *(f"    {line}" for line in (*lines, *stored)),
            *(f"    return {name}" for name in others),
            "",
        ]
    )


def print_choice() -> str:
    """Return the function that computes the scalars of the rule of a number."""
    lines = [
        "",
        "@triton.jit",
        "def scalars(RULE: tl.constexpr, h, c, t, mask, other):",
        '    """Write the scalars of the rule of this number; return the counter besides the step."""',
    ]
    for place, rule in enumerate(CAPTURABLE):
        own = ", other" if other_counters(rule) else ""
        call = f"{_name(rule)}(h, c, t, mask{own})"
        lines += [f"    {'el' if place else ''}if RULE == {COMPILED.index(rule)}:"]
        lines += [f"        {'other = ' if own else ''}{call}"]
    return "\n".join([*lines, "    return other", ""])


def print_file() -> str:
    """Return the whole of ``scalars_generated.py``."""
    return "\n".join([_OPENING.rstrip("\n"), "", *map(print_scalars, CAPTURABLE), print_choice()])


def _name(rule: type[Rule]) -> str:
    return f"{rule.__name__.lower()}_scalars"


def _way(way: Leaf | Branch, prefix: str, known: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the lines of a program and the expressions of its results; of two branches both, and then a choice.

    Args:
        way: the program.
        prefix: what names of its lines begin with, so that no other line has them.
        known: the names of lines before it.
    """
    names, lines = dict(known), []
    for name, operation, operands in way.lines:
        names[name] = f"{prefix}{name[1:]}"
        lines.append(f"{names[name]} = {_expression(operation, [_operand(x, names) for x in operands])}")
    if isinstance(way, Leaf):
        return lines, {name: _operand(x, names) for name, x in way.results.items()}
    (yes, if_so), (no, if_not) = _way(way.yes, f"{prefix}y", names), _way(way.no, f"{prefix}n", names)
    return [*lines, *yes, *no], {
        name: _chosen(_operand(way.condition, names), if_so[name], if_not[name]) for name in if_so
    }


def _needed(lines: list[str], after: list[str]) -> list[str]:
    """Return the lines without those whose result nothing uses."""
    kept = after
    for line in reversed(lines):
        name = line.partition(" = ")[0]
        if any(name in re.findall(r"\w+", each.rpartition(" = ")[2]) for each in kept):
            kept = [line, *kept]
    return kept[: -len(after)]


def _chosen(condition: str, yes: str, no: str) -> str:
    return yes if yes == no else f"tl.where({condition}, {_wide(yes)}, {_wide(no)})"


def _expression(operation: str, operands: list[str]) -> str:
    kind, _, sign = operation.rpartition(" ")
    if kind == "single":
        left, right = (f"{_wide(x)}.to(tl.float32)" for x in operands)
        return f"({left} {sign} {right}).to(tl.float64)"
    if operation == "**" and operands[1] == "2.0":
        return f"{operands[0]} * {operands[0]}"
    if operation == "**":
        return f"power({', '.join(map(_wide, operands))})"
    if operation == "sqrt":
        return f"tl.sqrt({operands[0]})"
    return f"{operands[0]} {operation} {operands[1]}"


def _operand(name: str, names: Mapping[str, str]) -> str:
    return f"h_{name[2:]}" if name.startswith("h.") else names.get(name, name)


def _wide(operand: str) -> str:
    """Return an operand, a literal as float64: alone it would be rounded to float32."""
    return f"tl.full(t.shape, {operand}, tl.float64)" if operand[0] in "-0123456789" else operand


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or with ``--check`` only say whether it is current."""
    return write_or_check("adamas.rules.triton_scalars", FILE, print_file, __doc__, arguments)


__all__ = ["FILE", "hyper_names", "other_counters", "print_file", "print_scalars"]

if __name__ == "__main__":
    sys.exit(main())
