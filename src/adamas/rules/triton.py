"""Prints the compiled rules as Triton: ``python -m adamas.rules.triton`` rewrites ``kernels/rules_generated.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from adamas.rules import COMPILED
from adamas.rules.cpp import scalar_names
from adamas.rules.generated import write_or_check
from adamas.rules.language import trace
from adamas.rules.rule import Rule

FILE = Path(__file__).parents[1] / "kernels" / "rules_generated.py"
MAX_SLOTS = 3

_OPENING = '''\
"""The update rules, printed from src/adamas/rules by `python -m adamas.rules.triton`. Do not edit.

Each takes the decayed weight x and the gradient g of some elements, the address c of the step's scalars and the slots;
it returns the new weight and slots.
"""

import triton
import triton.language as tl

from adamas.kernels.vocabulary import absolute, divide, lerp, maximum, negative, root, sign

'''

_WORDS = {"/": "divide", "neg": "negative", "sqrt": "root"}


def print_rule(rule: type[Rule]) -> str:
    """Return one rule as a Triton function."""
    scalars, slots = scalar_names(rule), tuple(slot.name for slot in rule.slots)
    program = trace(rule.update, slots, scalars)
    used = {operand for _, _, operands in program.lines for operand in operands} | set(program.steps)
    body = [f"c_{name} = tl.load(c + {place})" for place, name in enumerate(scalars) if f"c.{name}" in used]
    body += [f"{name} = {_expression(operation, operands)}" for name, operation, operands in program.lines]
    steps = " - ".join(["x", *map(_operand, program.steps)])
    body += [f"return {', '.join([steps, *map(_operand, program.slots)])}"]
    return "\n".join(
        [
            "",
            "@triton.jit",
            f"def {_name(rule)}({', '.join(['x', 'g', 'c', *slots])}):",
            f'    """{(rule.__doc__ or rule.__name__).splitlines()[0]}"""',
            *(f"    {line}" for line in body),
            "",
        ]
    )


def print_choice() -> str:
    """Return the function that applies the rule of a number."""
    slots = ", ".join(f"s{place}" for place in range(MAX_SLOTS))
    lines = [
        "",
        "@triton.jit",
        f"def update(RULE: tl.constexpr, x, g, c, {slots}):",
        '    """Return the new weight and slots by the rule of this number; it leaves slots that it has not."""',
    ]
    for number, rule in enumerate(COMPILED):
        own = "".join(f", s{place}" for place in range(len(rule.slots)))
        lines += [f"    {'el' if number else ''}if RULE == {number}:", f"        x{own} = {_name(rule)}(x, g, c{own})"]
    return "\n".join([*lines, f"    return x, {slots}", ""])


def print_file() -> str:
    """Return the whole of ``rules_generated.py``."""
    return "\n".join([_OPENING.rstrip("\n"), "", *map(print_rule, COMPILED), print_choice()])


def _name(rule: type[Rule]) -> str:
    return f"{rule.__name__.lower()}_rule"


def _expression(operation: str, operands: tuple[str, ...]) -> str:
    written = [_operand(x) for x in operands]
    if operation in ("+", "-", "*"):
        return f"{written[0]} {operation} {written[1]}"
    return f"{_WORDS.get(operation, operation)}({', '.join(written)})"


def _operand(name: str) -> str:
    return f"c_{name[2:]}" if name.startswith("c.") else name


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or with ``--check`` only say whether it is current."""
    return write_or_check("adamas.rules.triton", FILE, print_file, __doc__, arguments)


__all__ = ["FILE", "print_file", "print_rule"]

if __name__ == "__main__":
    sys.exit(main())
