"""What the reader sees: a table per case, and the same as JSON."""

import json
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adamas.lab.bench.summary import BarResult, CaseResult, ContenderResult, Ratio

SCHEMA = 1
"""Version of the JSON; it goes up when a name in it changes its meaning or disappears."""


def document(results: list[CaseResult], machine: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Put everything into one JSON-ready dictionary."""
    return {
        "schema": SCHEMA,
        "environment": machine,
        "settings": settings,
        "cases": [asdict(result) for result in results],
    }


def to_json(content: dict[str, Any]) -> str:
    """Write a document as JSON text."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def show(content: dict[str, Any], results: list[CaseResult], console: Console) -> None:
    """Print the environment and a table per case."""
    machine = content["environment"]
    line = (
        f"{machine['processor']}, {machine['threads']} threads on {machine['cores']} cores, "
        f"torch {machine['torch']} ({machine['torch_isa']}), adamas {machine['adamas']} ({_engines(results)})"
    )
    console.print(escape(line), highlight=False)
    load = machine["load_before"]
    if load is not None and load > 0.25 * machine["cores"]:
        text = f"Other jobs had {load:.1f} of {machine['cores']} cores: trust ratios and fastest times only."
        console.print(text, style="yellow", highlight=False)
    for result in results:
        show_case(result, console)


def show_case(result: CaseResult, console: Console) -> None:
    """Print one case: its table, its limit, its bar, and who was not measured and why."""
    console.print()
    console.print(f"[bold]{result.key}[/]  {escape(_title(result))}", highlight=False)
    console.print(_table(result))
    console.print(f"bytes a parameter and step: {result.traffic}", style="dim", highlight=False)
    if result.limits:
        console.print(_limit_line(result), highlight=False)
    console.print(bar_line(result.bar), highlight=False)
    for name, reason in result.missing.items():
        console.print(f"not measured: {escape(name)}: {escape(reason)}", style="dim", highlight=False)
    for name, reason in result.failed.items():
        console.print(f"[red]failed[/]: {escape(name)}: {escape(reason)}", highlight=False, soft_wrap=True)
    if result.interrupted:
        console.print(f"[yellow]interrupted[/] after {result.rounds} full rounds", highlight=False)


def bar_line(bar: BarResult) -> str:
    """Say whether a bar is met.

    Example:
        >>> bar_line(BarResult("torch-fused / adamas >= 0.97", Ratio(1.014, 0.991, 1.032), True, False))
        'bar: torch-fused / adamas >= 0.97: [green]met[/] with 1.01 (0.99-1.03)'
    """
    verdict = {True: "[green]met[/]", False: "[red]not met[/]", None: "not judged at these sizes"}[bar.met]
    if bar.measured is None:
        return f"bar: {bar.text}: not measured"
    close = "; the interval spans the bar: give more --rounds or --starts" if bar.close else ""
    return f"bar: {bar.text}: {verdict} with {_ratio(bar.measured)}{close}"


def _engines(results: list[CaseResult]) -> str:
    """Say what steps adamas's contenders that were not asked to use the reference."""
    engines = {
        contender.engine
        for result in results
        for contender in result.contenders
        if contender.engine and contender.name != "adamas-reference"
    }
    return " and ".join(sorted(engines)) or "not measured"


def _title(result: CaseResult) -> str:
    size = f"{result.parameters / 1e6:.1f} M" if result.parameters >= 1e6 else f"{result.parameters:,}"
    tensors = "1 tensor" if result.tensors == 1 else f"{result.tensors} tensors"
    starts = f" of {result.starts} starts" if result.starts > 1 else ""
    return f"{result.title}: {tensors}, {size} parameters, {result.rounds} rounds{starts}"


def _table(result: CaseResult) -> Table:
    caption = f"ratio: median / median of {result.base}, with its 95 % interval" if result.base else None
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, caption=caption, caption_justify="left")
    table.add_column("contender", no_wrap=True)
    columns = (
        "fastest\nms",
        "median\nms",
        "ratio",
        "interval",
        "state\nbytes",
        "moved\nbytes",
        "GB/s",
        "of limit",
    )
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for contender in result.contenders:
        table.add_row(*_cells(contender))
    return table


def _cells(contender: ContenderResult) -> tuple[str, ...]:
    ratio = contender.ratio
    return (
        escape(contender.name),
        _three(contender.fastest_ms),
        _three(contender.median_ms),
        _three(ratio.value),
        "" if ratio.low == ratio.high else f"{_three(ratio.low)}-{_three(ratio.high)}",
        f"{contender.state_bytes:.2f}",
        f"{contender.moved_bytes:.2f}",
        f"{contender.gbps:.1f}",
        f"{100 * contender.share:.0f} %" if contender.share is not None else "",
    )


def _three(value: float) -> str:
    """Print a number with two decimals, fewer where they say nothing.

    Example:
        >>> _three(0.974), _three(45.67), _three(2412.0)
        ('0.97', '45.7', '2412')
    """
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _ratio(ratio: Ratio) -> str:
    """Print a ratio.

    Example:
        >>> _ratio(Ratio(2.0, 1.9, 2.25))
        '2.00 (1.90-2.25)'
    """
    return f"{_three(ratio.value)} ({_three(ratio.low)}-{_three(ratio.high)})"


def _limit_line(result: CaseResult) -> str:
    kernels = ", ".join(
        f"{limit.name} {limit.gbps:.1f}"
        + (
            f" ({limit.gbps_with_write_allocate:.1f} with write-allocate)"
            if limit.gbps_with_write_allocate > limit.gbps
            else ""
        )
        for limit in result.limits
    )
    return f"memory limit: {result.limit_gbps:.1f} GB/s, the fastest of {kernels}"
