"""Comparing optimizers: which runs it takes, and getting them, from disk or by training."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

from rich.console import Console
from rich.markup import escape

from adamas.lab import optimizers, peers, tables, workloads
from adamas.lab.analysis import summarize
from adamas.lab.progress import RunProgress
from adamas.lab.report.builder import build
from adamas.lab.results import Run, RunStore, writable_folder, write_atomically
from adamas.lab.spec import RunSpec, Settings
from adamas.lab.trainer import Trainer


def spec(
    workload: str, optimizer: str, seed: int, lr: float | None = None, changed: Settings = MappingProxyType({})
) -> RunSpec:
    """Specifies a run with the workload's budget.

    Args:
        workload: name of the workload.
        optimizer: name of the optimizer.
        seed: number of the paired seed.
        lr: learning rate; by default the one tuned for this workload, else the optimizer's default.
        changed: hyper-parameters that are to differ from the optimizer's own.

    Example:
        >>> spec("cnn", "momentum", seed=0, lr=0.1).hyperparameters
        {'lr': 0.1, 'momentum': 0.9}
    """
    chosen = workloads.load(workload)
    rate = chosen.learning_rates.get(optimizer) if lr is None else lr
    return RunSpec(
        workload=workload,
        workload_digest=workloads.digest(workload),
        optimizer=optimizer,
        hyperparameters=optimizers.hyperparameters(optimizer, rate, changed),
        peer=peers.origin(optimizer),
        seed=seed,
        steps=chosen.steps,
        batch_size=chosen.batch_size,
        eval_every=chosen.eval_every,
    )


def paired_specs(workload_names: Sequence[str], optimizer_names: Sequence[str], seeds: int) -> list[RunSpec]:
    """Every optimizer on every workload with every paired seed.

    Seeds vary slowest, so that a comparison which is cut short has whole rounds of all optimizers.

    Example:
        >>> [(spec.optimizer, spec.seed) for spec in paired_specs(["mlp"], ["sgd", "adam"], seeds=2)]
        [('sgd', 0), ('adam', 0), ('sgd', 1), ('adam', 1)]
    """
    return [
        spec(workload, optimizer, seed)
        for seed in range(seeds)
        for workload in workload_names
        for optimizer in optimizer_names
    ]


def collect(specs: Sequence[RunSpec], store: RunStore, trainer: Trainer) -> list[Run]:
    """Returns the run of every spec, training those that the store doesn't have.

    Args:
        specs: what to run.
        store: where finished runs are looked up and kept.
        trainer: who trains, and whether to train again what the store has.

    Raises:
        LabError: a run failed or a worker died; runs that finished before are in the store.
        KeyboardInterrupt: Ctrl-C; likewise.
    """
    if trainer.fresh:
        for spec in specs:
            store.forget_checkpoint(spec)
    runs = {} if trainer.fresh else {spec.run_id: run for spec in specs if (run := store.find(spec)) is not None}
    missing = [spec for spec in specs if spec.run_id not in runs]
    if missing:
        with RunProgress(specs, runs.values()) as progress:
            for run in trainer.executor.train(missing, store, progress.heard):
                runs[run.spec.run_id] = run
                progress.finished(run)
    return [runs[spec.run_id] for spec in specs]


def command_line(words: Sequence[str]) -> str:
    """The command that makes the same runs, as a shell takes it.

    Example:
        >>> command_line(["compare", "mlp", "--optimizers", "torch.optim:Adam?betas=(0.8,0.9)"])
        "adamas compare mlp --optimizers 'torch.optim:Adam?betas=(0.8,0.9)'"
    """
    return shlex.join(["adamas", *words])


def compare(
    workloads: Sequence[str],
    optimizers: Sequence[str],
    *,
    seeds: int,
    out: Path,
    runs_dir: Path,
    trainer: Trainer,
    command: str,
    console: Console,
) -> None:
    """Compares optimizers on workloads, prints tables and verdicts and writes the report.

    Args:
        workloads: names of workloads.
        optimizers: names of optimizers.
        seeds: number of paired seeds.
        out: file to write the report to.
        runs_dir: folder of finished runs.
        trainer: who trains.
        command: the command line that does the same, for the report.
        console: where to print.

    Raises:
        LabError: a name is unknown, a folder can't be written or a run failed.
    """
    start = perf_counter()
    specs = paired_specs(workloads, optimizers, seeds)
    # Both folders are tried before anything is trained: a minute of work must not end in "permission denied".
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    writable_folder(out.absolute().parent, "--out")
    with trainer:
        runs = collect(specs, store, trainer)
    summaries = summarize(runs)
    for workload in workloads:
        console.print(tables.comparison([summary for summary in summaries if summary.workload == workload]))
    tables.conclusions(summaries, console)
    write_atomically(out, build(runs, command))
    console.print(f"{len(runs)} runs in {perf_counter() - start:.0f} s. Report: [bold]{escape(str(out))}[/]")
