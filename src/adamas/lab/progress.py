"""Live progress of a set of runs: how many are finished, when the rest will be, and the best so far."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adamas.lab import optimizers
from adamas.lab.results import Run


class RunProgress:
    """A progress bar over runs, on standard error if that is a terminal; a context manager.

    Args:
        total: number of runs, those that are already finished included.
        finished: runs that were found finished; they don't count towards the speed.
    """

    def __init__(self, total: int, finished: Iterable[Run]):
        console = Console(stderr=True)
        self._best: dict[str, tuple[float, str]] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[best]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )
        found = list(finished)
        self._task = self._progress.add_task("training", total=total, completed=len(found), best="starting workers")
        for run in found:
            self._consider(run)

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def finished(self, run: Run) -> None:
        """Counts one more finished run and shows the best final loss of each workload."""
        self._consider(run)
        best = ", ".join(f"{name} {loss:.2g} {label}" for name, (loss, label) in sorted(self._best.items()))
        self._progress.update(self._task, advance=1, best=escape(f"best loss: {best}"))

    def _consider(self, run: Run) -> None:
        loss = run.result.points[-1].train_loss
        workload, label = run.spec.workload, optimizers.entry(run.spec.optimizer).label
        if workload not in self._best or loss < self._best[workload][0]:
            self._best[workload] = (loss, label)
