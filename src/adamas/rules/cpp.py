"""Prints the compiled rules as C++: ``python -m adamas.rules.cpp`` rewrites ``csrc/rules.generated.h``."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

from adamas.rules import COMPILED
from adamas.rules.generated import write_or_check
from adamas.rules.language import trace
from adamas.rules.rule import Rule

HEADER = Path(__file__).parents[1] / "csrc" / "rules.generated.h"

_OPENING = """\
// The update rules, printed from src/adamas/rules by `python -m adamas.rules.cpp`. Do not edit.
//
// update() takes the decayed weight x and the gradient g of one element, the step's scalars c and the element's
// slots, which it replaces; it returns the new weight. Compile without contraction: a fused multiply-add would change
// the bits.
"""


def scalar_names(rule: type[Rule]) -> tuple[str, ...]:
    """Return the names of the rule's scalars, in the order in which they are passed to an engine."""
    counters = {counter.name: 0.5 for counter in rule.counters if counter.name != "step"}
    return tuple(rule.scalars(example(rule), 1.0, **counters))


def example(rule: type[Rule]) -> SimpleNamespace:
    """Return the rule's default hyper-parameters as engines see them."""
    betas = rule.defaults.get("betas", (0.9, 0.999))
    return SimpleNamespace(**rule.defaults, beta1=betas[0], beta2=betas[1])


def moment_places(rule: type[Rule]) -> tuple[int, int]:
    """Return which of the rule's slots are the means of gradients and of their squares; -1 where there is none.

    Example:
        >>> from adamas.rules import Adam, RMSprop
        >>> moment_places(Adam), moment_places(RMSprop)
        ((0, 1), (-1, 0))
    """
    h, names = example(rule), [slot.name for slot in rule.slots]
    moments = rule.first_moment(h, 1.0), rule.second_moment(h, 1.0)
    first, second = (names.index(moment.slot) if moment else -1 for moment in moments)
    return first, second


def print_rule(rule: type[Rule]) -> str:
    """Return one rule as a C++ struct."""
    scalars = scalar_names(rule)
    slots = tuple(slot.name for slot in rule.slots)
    signs = ", ".join(str(slot.signed).lower() for slot in rule.slots) or "true"  # an array has at least one
    first, second = moment_places(rule)
    program = trace(rule.update, slots, scalars)
    parameters = ", ".join(["const T x", "const T g", "const Scalars<T>& c", *(f"T& {slot}" for slot in slots)])
    body = [f"const T {name} = {_expression(operation, operands)};" for name, operation, operands in program.lines]
    body += [f"{slot} = {_operand(value)};" for slot, value in zip(slots, program.slots, strict=True)]
    body += [f"return {' - '.join(['x', *map(_operand, program.steps)])};"]
    return "\n".join(
        [
            f"// {(rule.__doc__ or rule.__name__).splitlines()[0]}",
            f"struct {rule.__name__} {{",
            f"  static constexpr int kSlots = {len(slots)};",
            f"  static constexpr int kScalars = {len(scalars)};",
            f"  static constexpr int kFirst = {first}, kSecond = {second};",
            f"  static constexpr bool kSigned[] = {{{signs}}};",
            "  template <class T>",
            "  struct Scalars {",
            f"    T {', '.join(scalars)};",
            "  };",
            "  template <class T>",
            f"  static inline T update({parameters}) {{",
            *(f"    {line}" for line in body),
            "  }",
            "};",
            "",
        ]
    )


def print_header() -> str:
    """Return the whole of ``rules.generated.h``."""
    names = ", ".join(rule.__name__ for rule in COMPILED)
    rules = "\n".join(print_rule(rule) for rule in COMPILED)
    return f"{_OPENING}\n{rules}\n#define ADAMAS_RULES {names}\n"


def _expression(operation: str, operands: tuple[str, ...]) -> str:
    written = [_operand(x) for x in operands]
    if operation == "neg":
        return f"-{written[0]}"
    if operation in ("+", "-", "*", "/"):
        return f"{written[0]} {operation} {written[1]}"
    return f"{operation}<T>({', '.join(written)})"


def _operand(name: str) -> str:
    return f"constant<T>({name})" if name[0].isdigit() or name[0] == "-" else name


def main(arguments: list[str] | None = None) -> int:
    """Write the header, or with ``--check`` only say whether it is current."""
    return write_or_check("adamas.rules.cpp", HEADER, print_header, __doc__, arguments)


__all__ = ["HEADER", "example", "moment_places", "print_header", "print_rule", "scalar_names"]

if __name__ == "__main__":
    sys.exit(main())
