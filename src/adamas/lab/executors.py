"""Who trains: processes of this machine, or a cluster. Both take specs and yield finished runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from adamas.lab.errors import LabError, first_line
from adamas.lab.results import Run, RunStore
from adamas.lab.spec import RunSpec


@dataclass(frozen=True)
class Heard:
    """What a worker says of a run under way, at each evaluation."""

    spec: RunSpec
    step: int
    train_loss: float


class Executor(Protocol):
    """Trains specs; a context manager."""

    def __enter__(self) -> "Executor": ...

    def __exit__(self, *exception: object) -> None: ...

    def train(self, specs: Sequence[RunSpec], store: RunStore, heard: Callable[[Heard], None]) -> Iterator[Run]:
        """Trains and keeps every spec, yielding runs as they finish.

        Raises:
            LabError: a run failed, or who was to train it is gone. Runs that finished before it are kept.
        """
        ...


def failed(spec: RunSpec, error: Exception) -> LabError:
    """What to say about a run whose training raised an exception.

    Example:
        >>> spec = RunSpec(workload="mlp", optimizer="sgd", hyperparameters={}, seed=0,
        ...                steps=1, batch_size=1, eval_every=1)
        >>> failed(spec, ValueError("no")).problem
        'training mlp with sgd, seed 0 failed (ValueError: no)'
    """
    run = f"{spec.workload} with {spec.optimizer}, seed {spec.seed}"
    return LabError(
        f"training {run} failed ({first_line(error)})", "see where with --debug; the runs that finished are kept"
    )
