"""How many bytes training takes: weights, gradients and moments, as they are and under every other choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adamas.formats import FORMATS
from adamas.optimizer import Optimizer
from adamas.shards import local, piece_of
from adamas.slots import make_state


@dataclass(frozen=True)
class Footprint:
    """Bytes of one choice.

    Attributes:
        choice: ``now``, or the ``state_format`` that moments would have.
        weights: of all parameters of the optimizer.
        gradients: of those that are trained; with ``release()`` only the largest is there at a time.
        largest_gradient: of the largest tensor among them.
        states: moments and counters.
    """

    choice: str
    weights: int
    gradients: int
    largest_gradient: int
    states: int

    @property
    def total(self) -> int:
        """All three."""
        return self.weights + self.gradients + self.states

    @property
    def released(self) -> int:
        """All three with gradient release."""
        return self.weights + self.largest_gradient + self.states


@dataclass(frozen=True)
class MemoryReport:
    """What ``memory_report`` found; ``print`` it for a table.

    Attributes:
        parameters: how many numbers the optimizer's weights are.
        now: what there is at this moment. (Before the first step there is no state; between steps no gradient.)
        choices: what there would be in backward, at the most, with each format of moments.
    """

    parameters: int
    now: Footprint
    choices: tuple[Footprint, ...]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's cells, headers first, sizes in MiB."""
        rows: list[tuple[str, ...]] = [
            ("state_format", "weights", "gradients", "states", "all", "with release", "bytes a parameter")
        ]
        for each in (self.now, *self.choices):
            sizes = (each.weights, each.gradients, each.states, each.total, each.released)
            per = each.states / max(self.parameters, 1)
            rows.append((each.choice, *(f"{size / 2**20:,.1f}" for size in sizes), f"{per:.2f}"))
        return rows

    def __str__(self) -> str:
        """Return the table as text."""
        rows = self.rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        note = "(sizes in MiB; bytes a parameter are those of the states)"
        return "\n".join([f"{self.parameters:,} parameters", *lines, note])


def memory_report(optimizer: Optimizer) -> MemoryReport:
    """Count the bytes that an optimizer's training takes, now and with each format of moments.

    Counted are weights, gradients and state; activations depend on the data. Nothing is allocated to find out. Of what
    is cut over processes (FSDP2, ZeRO-1) it is what this process has.

    Args:
        optimizer: its parameters may be on the ``meta`` device.

    Example:
        >>> import torch, adamas
        >>> optimizer = adamas.AdamW(torch.nn.Linear(1024, 1024, bias=False).parameters())
        >>> print(adamas.memory_report(optimizer))
        1,048,576 parameters
        state_format  weights  gradients  states   all  with release  bytes a parameter
        now               4.0        0.0     0.0   4.0           4.0               0.00
        float32           4.0        4.0     8.0  16.0          16.0               8.00
        bfloat16          4.0        4.0     4.0  12.0          12.0               4.00
        int8              4.0        4.0     2.1  10.1          10.1               2.06
        int4              4.0        4.0     1.1   9.1           9.1               1.13
        (sizes in MiB; bytes a parameter are those of the states)
    """
    params = [p for group in optimizer.param_groups for p in group["params"]]
    weights = sum(map(_bytes, params))
    wanted = [_bytes(p) for p in params if p.requires_grad]
    there = [_bytes(p.grad) for p in params if p.grad is not None]
    now = Footprint(
        "now", weights, sum(there), max(there, default=0), sum(map(_bytes, tensors(list(optimizer.state.values()))))
    )
    choices = [
        Footprint(name, weights, sum(wanted), max(wanted, default=0), states)
        for name in FORMATS
        if (states := _states(optimizer, name)) is not None
    ]
    return MemoryReport(sum(local(p).numel() for p in params), now, tuple(choices))


def tensors(value: Any) -> Iterable[torch.Tensor]:
    """Yield every tensor inside mappings, lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from tensors(each)


def _states(optimizer: Optimizer, name: str) -> int | None:
    """Return the bytes of all state in this format, or None if a parameter cannot have it."""
    total = 0
    for group in optimizer.param_groups:
        rule = optimizer.rule(group)
        for p in group["params"]:
            if p.requires_grad or optimizer.state.get(p):
                state: dict[str, Any] = {}
                cut = optimizer._how(p)
                shadow = torch.empty_like(piece_of(p, cut), device="meta", memory_format=torch.preserve_format)
                try:
                    make_state(shadow, "parameter", None, {**group, "state_format": name}, rule, state, cut)
                except ValueError:
                    return None
                total += sum(map(_bytes, tensors(state)))
    return total


def _bytes(x: torch.Tensor) -> int:
    return local(x).numel() * x.element_size()
