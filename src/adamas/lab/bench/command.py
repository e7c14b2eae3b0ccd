"""The command line of `adamas bench`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from adamas.lab.bench.cases import CASES, Case
from adamas.lab.bench.contenders import check_peers, choose
from adamas.lab.bench.environment import describe, load_average
from adamas.lab.bench.measure import CaseRun, Settings, run_case
from adamas.lab.bench.summary import CaseResult, summarize
from adamas.lab.bench.table import document, show, to_json
from adamas.lab.errors import LabError

INTERRUPTED = 130


def bench(
    cases: Annotated[
        list[str] | None,
        typer.Argument(help="P1, P2, P3, P4, P5, P6, P7, P9; all of them without any.", show_default=False),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Chunks per contender, taken in turns A B A B.")] = 7,
    starts: Annotated[int, typer.Option(min=1, help="Start all processes anew so often, for --rounds each.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each contender; torch's default without it.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write everything as JSON; - is standard output.")
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option(help="Only these, with commas: torch, adamas-reference, my_package.optim:MyAdamW."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a bar is not met.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small tensors: shows that it runs, not how fast.")] = False,
) -> None:
    """Time optimizer steps against every peer installed, beside the speed of this machine's memory.

    An optimizer step does a few operations on each number and then has to
    fetch the next one: its natural limit is the speed of memory. So beside the
    milliseconds you see bytes moved per second, and the share of what a plain
    copy or triad reaches on this machine in the same minutes.

    Each contender lives in a process of its own and they take turns, so that a
    busy machine slows all alike: look at the ratios, they hold where
    milliseconds don't. A ratio whose interval spans 1 tells nothing apart: give
    more --rounds, or a quieter machine. Where a process's memory lies is drawn
    when it starts; of P6, torch's time depends on it by a factor of 1.4, and
    one start's interval says nothing of that: give more --starts.

    The bars are promises: P1, one large tensor, as fast as torch's fused AdamW;
    P2, a thousand small ones, three times as fast; P3, bfloat16 with stochastic
    rounding and float32 moments, 1.5 times as fast; P6, sparse gradients stepped
    exactly, 15 times as fast as torch's SparseAdam; P7, clipping to norm 1 with
    the step, 1.25 times as fast; P9, a parameter group per
    tensor, at most 1.1 times the time with one group.

    [bold]Examples[/]

    [cyan]adamas bench P1 --rounds 15[/]  one case, narrower intervals

    [cyan]adamas bench P6 --starts 8 --rounds 5[/]  each process started eight times

    [cyan]adamas bench P2 P9 --json bench.json[/]  two cases, every number kept

    [cyan]adamas bench P1 --peers adamas,my_package.my_module:MyAdamW[/]  your own
    """
    chosen = _cases(cases)
    named = _peers(peers)
    if check and quick:
        raise LabError("--quick has too little work to judge a bar by", "leave out --quick or --check")
    settings = Settings(rounds, starts, threads, quick)
    load = load_average()
    runs = _run(chosen, named, settings)
    results = [summarize(run, quick) for run in runs]
    _publish(document(results, describe(runs, load), asdict(settings)), results, json)
    if any(run.interrupted for run in runs):
        raise typer.Exit(INTERRUPTED)
    if check and not all(result.bar.met for result in results):
        raise typer.Exit(1)


def _cases(names: list[str] | None) -> list[Case]:
    unknown = [name for name in names or [] if name.upper() not in CASES]
    if unknown:
        remedy = f"give some of {', '.join(CASES)}, or none for all"
        raise LabError(f"no case is called {unknown[0]!r}", remedy)
    return [CASES[name] for name in dict.fromkeys(name.upper() for name in names or CASES)]


def _peers(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise LabError("--peers is empty", "give at least one name, several with commas")
    check_peers(names)
    return names


def _run(cases: list[Case], peers: list[str] | None, settings: Settings) -> list[CaseRun]:
    """Run the cases one after the other, with progress on standard error, until Ctrl-C."""
    runs: list[CaseRun] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def tell(text: str) -> None:
            progress.update(task, description=escape(text))

        for case in cases:
            runs.append(run_case(case, choose(case, peers), settings, tell))
            if runs[-1].interrupted:
                break
    return runs


def _publish(content: dict[str, Any], results: list[CaseResult], json_target: str | None) -> None:
    show(content, results, Console(stderr=json_target == "-"))
    if json_target == "-":
        sys.stdout.write(to_json(content))
    elif json_target is not None:
        Path(json_target).write_text(to_json(content))
