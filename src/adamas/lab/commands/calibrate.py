"""`adamas calibrate`: a target for a workload."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adamas.lab import tables, text, workloads
from adamas.lab.calibrate import FIRST_SEED, Candidate, candidates, choose, judge
from adamas.lab.commands import options
from adamas.lab.compare import collect, spec
from adamas.lab.errors import LabError
from adamas.lab.results import RunStore, writable_folder
from adamas.lab.trainer import Trainer


def calibrate(
    workload: options.WorkloadArgument,
    optimizer_names: options.Optimizers = options.DEMO_OPTIMIZERS,
    seeds: Annotated[int, typer.Option(min=2, help="Seeds, none of them one of compare or tune.")] = 3,
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Find a target loss that tells optimizers apart, and say how well it does.

    Every optimizer trains at its tuned learning rate. A candidate is what the best of
    them has reached by some share of the budget, median over seeds; its discrimination
    index is the share of pairs of optimizers whose steps to it differ by more than
    their seeds do. The candidate with the highest index is the target; the one that the
    workload has now is a candidate, too.

    [bold]Examples[/]

    [cyan]adamas calibrate mlp[/]

    [cyan]adamas calibrate my_package.my_module:MyWorkload --optimizers sgd,adam,lion --seeds 5[/]
    """
    chosen, names = workloads.load(workload), options.optimizer_names(optimizer_names)
    if len(names) < 2:
        raise LabError("one optimizer can't be told apart", "give at least two with --optimizers")
    specs = [spec(workload, name, FIRST_SEED + seed) for name in names for seed in range(seeds)]
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    with Trainer(workers, fresh, cluster) as trainer:
        runs = collect(specs, store, trainer)
    by_name = {name: runs[at * seeds : (at + 1) * seeds] for at, name in enumerate(names)}
    found = candidates(by_name)
    if not found:
        raise LabError("no run has a finite loss", "tune the learning rates first: adamas tune")
    now = judge(by_name, chosen.target)
    best = choose([*found, now])
    table = tables.plain(f"{chosen.title}: targets, and how well they tell {len(names)} optimizers apart")
    for header in ("train loss", "by share of budget", "discrimination", "reached by"):
        table.add_column(header, justify="right")
    for each in found:
        table.add_row(*_cells(each, f"{each.share:.0%}", len(names)), style="bold green" if each is best else "")
    table.add_row(*_cells(now, "now", len(names)), style="bold green" if now is best else "dim")
    Console().print(table)
    Console().print(f"target = {best.target:g}  # discrimination index {best.index:.2f}", highlight=False)


def _cells(candidate: Candidate, share: str, optimizers: int) -> tuple[str, ...]:
    index, reached = f"{candidate.index:.2f}", f"{candidate.reached}/{optimizers}"
    return (text.loss(candidate.target), share, index, reached)
