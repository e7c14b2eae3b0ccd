"""`adamas batch`: what a larger batch buys."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adamas.lab import optimizers, tables, text, workloads
from adamas.lab.batch import Outcome, Question, noise_scales, outcomes, sized_spec
from adamas.lab.commands import options
from adamas.lab.errors import LabError
from adamas.lab.results import RunStore, writable_folder
from adamas.lab.trainer import Trainer


def batch(
    workload: options.WorkloadArgument,
    sizes: Annotated[str, typer.Option(help="Batch sizes, with commas.")] = "16,64,256,1024",
    optimizer_names: options.Optimizers = "sgd,adam",
    trials: Annotated[int, typer.Option(min=3, help="Learning rates tried for each size.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds per learning rate, and others to judge the best.")] = 1,
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Steps and examples to the target for several batch sizes, the learning rate tuned at each.

    While twice the batch takes half the steps, the examples to the target stay the
    same: scaling is perfect. The gradient noise scale, measured along a run at the
    workload's own size, says beforehand about where that ends.

    [bold]Examples[/]

    [cyan]adamas batch mlp --sizes 32,128,512 --optimizers adam[/]
    """
    numbers, names = _sizes(sizes), options.optimizer_names(optimizer_names)
    question, console = Question(workload, numbers, trials, seeds), Console()
    chosen = workloads.load(workload)
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    with Trainer(workers, fresh, cluster) as trainer:
        for name in names:
            _show(chosen.title, outcomes(question, name, store, trainer), console)
    measured = noise_scales(sized_spec(workload, names[-1], 0, chosen.batch_size))
    scales = ", ".join(f"{text.significant(each.examples, 2)} after {each.step} steps" for each in measured)
    console.print(f"gradient noise scale, in examples: {scales} ({escape(optimizers.entry(names[-1]).label)})")


def _sizes(listed: str) -> list[int]:
    names = options.names(listed, "--sizes")
    if not all(name.isdecimal() and int(name) > 0 for name in names):
        raise LabError(f"--sizes {listed!r} are no batch sizes", "give whole numbers with commas, such as 32,128,512")
    return sorted(int(name) for name in names)


def _show(title: str, found: list[Outcome], console: Console) -> None:
    table = tables.plain(f"{title}: {optimizers.entry(found[0].optimizer).label}, batch size")
    for header in (
        "batch",
        "best lr",
        "steps to\ntarget",
        "examples\nto target",
        "of perfect\nscaling",
        "time to\ntarget",
    ):
        table.add_column(header, justify="right")
    # Perfect scaling is the fewest examples that any size gets away with.
    least = min(outcome.examples for outcome in found)
    for outcome in found:
        share = f"{least / outcome.examples:.0%}" if outcome.examples < float("inf") else "-"
        table.add_row(
            str(outcome.size),
            f"{outcome.lr:g}",
            text.steps(outcome.steps),
            text.significant(outcome.examples, 7),
            share,
            text.duration(outcome.seconds),
        )
    console.print(table)
