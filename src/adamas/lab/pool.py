"""A pool of processes that train: one torch thread each, finished runs on disk at once, a clean Ctrl-C.

Every run is written by the worker that trained it, the moment it is finished, so whatever ends the program
loses only the runs that were under way.
"""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from adamas.lab.environment import environment
from adamas.lab.errors import LabError, first_line
from adamas.lab.results import Run, RunStore
from adamas.lab.spec import RunSpec
from adamas.lab.train import train

# Read by the OpenMP, MKL and OpenBLAS runtimes when they are loaded, so a worker must have it before it
# imports torch; torch.set_num_threads comes too late to keep their threads from spinning.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_stop: Event | None = None
"""In a worker: set when the program wants its workers to give up."""


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _start_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    # A parent that is killed can't stop its workers; they must see for themselves.
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def _train_and_save(spec: RunSpec, folder: Path) -> Run:
    stop = _stop.is_set if _stop is not None else lambda: False
    run = Run(spec=spec, result=train(spec, stop), environment=environment())
    RunStore(folder).save(run)
    return run


@contextmanager
def _inherited_by_workers() -> Iterator[None]:
    """What processes started inside it inherit: one thread, and deafness to Ctrl-C from the first moment."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    # The terminal sends Ctrl-C to workers too, but only the parent knows what to say about it.
    main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main_thread else None
    try:
        yield
    finally:
        if main_thread:
            signal.signal(signal.SIGINT, handler)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Pool:
    """Workers that train specs; a context manager that starts them on first use and stops them on leaving.

    Args:
        workers: number of processes; one per physical core is the most that makes sense.

    Example:
        with Pool(workers=2) as pool:
            for run in pool.train(specs, RunStore(folder)):
                print(run.spec.run_id, run.result.points[-1].train_loss)
    """

    def __init__(self, workers: int):
        context = get_context("spawn")
        self._stop = context.Event()
        self._executor = ProcessPoolExecutor(workers, context, _start_worker, (self._stop,))

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)

    def train(self, specs: Sequence[RunSpec], store: RunStore) -> Iterator[Run]:
        """Trains and keeps every spec, yielding runs as they finish.

        Raises:
            LabError: a run failed, or a worker process died. Runs that finished before it are kept.
        """
        with _inherited_by_workers():
            pending = {self._executor.submit(_train_and_save, spec, store.folder): spec for spec in specs}
        for future in as_completed(pending):
            yield self._outcome(future, pending[future])

    def _outcome(self, future: "Future[Run]", spec: RunSpec) -> Run:
        try:
            return future.result()
        except LabError:
            raise
        except BrokenProcessPool as error:
            raise LabError(
                "a worker process died (killed, or out of memory)",
                "the same command again, it goes on from finished runs; if memory is short, with --workers 1",
            ) from error
        except Exception as error:
            run = f"{spec.workload} with {spec.optimizer}, seed {spec.seed}"
            raise LabError(
                f"training {run} failed ({first_line(error)})",
                "see where with --debug; the runs that finished are kept",
            ) from error
