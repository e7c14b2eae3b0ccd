"""A pool of processes that train: one torch thread each, finished runs on disk at once, a clean Ctrl-C.

Every run is written by the worker that trained it, the moment it is finished, and its checkpoints while it is
under way, so whatever ends the program loses no more than the last seconds of each.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty

import torch

from adamas.lab.environment import environment
from adamas.lab.errors import LabError
from adamas.lab.executors import Heard, failed
from adamas.lab.leaving import leave_with_parent
from adamas.lab.processes import context_with
from adamas.lab.results import Point, Run, RunStore
from adamas.lab.spec import RunSpec
from adamas.lab.train import train

# Read by the OpenMP, MKL and OpenBLAS runtimes when they are loaded, so a worker, or what it is forked from, must have
# it before it imports torch; torch.set_num_threads comes too late to keep their threads from spinning.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_LISTEN = 0.2
"""Seconds between two looks at what workers have to say."""

_stop: Event | None = None
"""In a worker: set when the program wants its workers to give up."""

_news: "Queue[Heard] | None" = None
"""In a worker: where to tell of evaluations."""


def _start_worker(stop: Event, news: "Queue[Heard]") -> None:
    global _stop, _news
    _stop, _news = stop, news
    # What nobody reads any more must not keep a worker from leaving.
    news.cancel_join_thread()
    leave_with_parent()
    torch.set_num_threads(1)


def _train_and_save(spec: RunSpec, folder: Path) -> Run:
    stop = _stop.is_set if _stop is not None else lambda: False

    def tell(point: Point) -> None:
        if _news is not None:
            _news.put(Heard(spec, point.step, point.train_loss))

    store = RunStore(folder)
    if spec.strategy:
        from adamas.lab.spread import train_spread

        result = train_spread(spec, stop, heard=tell, checkpoint=store.checkpoint(spec))
    else:
        result = train(spec, stop, heard=tell, checkpoint=store.checkpoint(spec))
    run = Run(spec=spec, result=result, environment=environment())
    store.save(run)
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
            for run in pool.train(specs, RunStore(folder), heard=print):
                print(run.spec.run_id, run.result.points[-1].train_loss)
    """

    def __init__(self, workers: int):
        context = context_with(__name__)
        self._stop = context.Event()
        self._news: Queue[Heard] = context.Queue()
        self._executor = ProcessPoolExecutor(workers, context, _start_worker, (self._stop, self._news))

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)

    def train(self, specs: Sequence[RunSpec], store: RunStore, heard: Callable[[Heard], None]) -> Iterator[Run]:
        """Trains and keeps every spec, yielding runs as they finish.

        Raises:
            LabError: a run failed, or a worker process died. Runs that finished before it are kept.
        """
        with _inherited_by_workers():
            specs_by_future = {self._executor.submit(_train_and_save, spec, store.folder): spec for spec in specs}
        pending = set(specs_by_future)
        while pending:
            done, pending = wait(pending, timeout=_LISTEN, return_when=FIRST_COMPLETED)
            self._listen(heard)
            for future in done:
                yield self._outcome(future, specs_by_future[future])

    def _listen(self, heard: Callable[[Heard], None]) -> None:
        while True:
            try:
                heard(self._news.get_nowait())
            except Empty:
                return

    def _outcome(self, future: "Future[Run]", spec: RunSpec) -> Run:
        try:
            return future.result()
        except LabError:
            raise
        except BrokenProcessPool as error:
            raise LabError(
                "a worker process died (killed, or out of memory)",
                "the same command again, it goes on from where it was; if memory is short, with --workers 1",
            ) from error
        except Exception as error:
            raise failed(spec, error) from error
