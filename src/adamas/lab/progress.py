"""Live progress of a set of runs: how much is done, when the rest will be, and the best loss so far."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adamas.lab import optimizers, text
from adamas.lab.executors import Heard
from adamas.lab.results import Run
from adamas.lab.spec import RunSpec


class RunProgress:
    """A progress bar over training steps, on standard error if that is a terminal; a context manager.

    Args:
        specs: what is to be trained, what is already finished included.
        finished: runs that were found finished; they don't count towards the speed.
    """

    def __init__(self, specs: Sequence[RunSpec], finished: Iterable[Run]):
        console = Console(stderr=True)
        self._single = len(specs) == 1
        self._runs = len(specs)
        self._steps = {spec.run_id: 0 for spec in specs}
        self._finished = 0
        self._best: dict[str, tuple[float, str]] = {}
        self._loss = float("inf")
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )
        total = sum(spec.steps for spec in specs)
        for run in finished:
            self._count(run)
        done = sum(self._steps.values())
        self._task = self._progress.add_task(self._title, total=total, completed=done, news="starting workers")

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def heard(self, news: Heard) -> None:
        """Takes note of an evaluation of a run under way."""
        self._steps[news.spec.run_id] = news.step
        self._loss = news.train_loss
        self._consider(news.spec, news.train_loss)
        self._show()

    def finished(self, run: Run) -> None:
        """Counts one more finished run."""
        self._count(run)
        self._show()

    @property
    def _title(self) -> str:
        return "training" if self._single else f"training {self._finished}/{self._runs} runs"

    def _show(self) -> None:
        best = ", ".join(
            f"{text.loss(loss)}" if self._single else f"{name} {text.loss(loss)} {label}"
            for name, (loss, label) in sorted(self._best.items())
        )
        news = f"loss {text.loss(self._loss)}, best {best}" if self._single else f"best loss: {best}"
        completed = sum(self._steps.values())
        self._progress.update(self._task, description=self._title, completed=completed, news=escape(news))

    def _count(self, run: Run) -> None:
        # A run that diverged has no steps left to do either.
        self._steps[run.spec.run_id] = run.spec.steps
        self._finished += 1
        self._loss = run.result.points[-1].train_loss
        self._consider(run.spec, self._loss)

    def _consider(self, spec: RunSpec, loss: float) -> None:
        if spec.workload not in self._best or loss < self._best[spec.workload][0]:
            self._best[spec.workload] = (loss, optimizers.entry(spec.optimizer).label)
