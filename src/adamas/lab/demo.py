"""The demonstration: a comparison, its table in the terminal and its report in a file."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.markup import escape

from adamas.lab import tables
from adamas.lab.analysis import summarize
from adamas.lab.compare import collect, paired_specs
from adamas.lab.report.builder import build
from adamas.lab.results import RunStore, writable_folder, write_atomically


def command_line(workloads: Sequence[str], optimizers: Sequence[str], seeds: int) -> str:
    """The command that makes the same runs; what only says where to put things is left out.

    Example:
        >>> command_line(["cnn", "mlp"], ["sgd", "adam"], 3)
        'adamas demo --workloads cnn,mlp --optimizers sgd,adam --seeds 3'
    """
    names = {"--workloads": ",".join(workloads), "--optimizers": ",".join(optimizers), "--seeds": str(seeds)}
    return shlex.join(["adamas", "demo", *(word for pair in names.items() for word in pair)])


def demo(
    workloads: Sequence[str],
    optimizers: Sequence[str],
    *,
    seeds: int,
    out: Path,
    runs_dir: Path,
    workers: int,
    fresh: bool,
    console: Console,
) -> None:
    """Compares optimizers on workloads, prints a table for each workload and writes the report.

    Args:
        workloads: names of workloads.
        optimizers: names of optimizers.
        seeds: number of paired seeds.
        out: file to write the report to.
        runs_dir: folder of finished runs.
        workers: processes to train with.
        fresh: train again what is already there.
        console: where to print.

    Raises:
        LabError: a name is unknown, a folder can't be written or a run failed.
    """
    start = perf_counter()
    specs = paired_specs(workloads, optimizers, seeds)
    # Both folders are tried before anything is trained: a minute of work must not end in "permission denied".
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    writable_folder(out.absolute().parent, "--out")
    runs = collect(specs, store, workers, fresh)
    summaries = summarize(runs)
    for workload in workloads:
        console.print(tables.comparison([summary for summary in summaries if summary.workload == workload]))
    write_atomically(out, build(runs, command_line(workloads, optimizers, seeds)))
    console.print(f"{len(runs)} runs in {perf_counter() - start:.0f} s. Report: [bold]{escape(str(out))}[/]")
