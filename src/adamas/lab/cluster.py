"""Training on a Dask cluster: the same specs, and the same bits, on the workers of a scheduler.

    dask scheduler
    dask worker tcp://SCHEDULER:8786 --nworkers auto --nthreads 1      # on every machine
    adamas compare mlp,cnn --cluster tcp://SCHEDULER:8786

Workers need the same adamas and torch, and must find your own workloads. They need no shared folder: finished runs
travel back and are kept here, and the scheduler keeps the last checkpoint of every run under way. So a run whose worker
dies goes on from there on another one, and so does one whose program was killed, while the scheduler lives.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed

import torch

import adamas
from adamas.lab.checkpoint import Checkpoint
from adamas.lab.environment import environment
from adamas.lab.errors import LabError, first_line
from adamas.lab.executors import Heard, failed
from adamas.lab.results import Run, RunStore
from adamas.lab.spec import RunSpec
from adamas.lab.streams import reproducible
from adamas.lab.train import Training, finish

try:
    from distributed import Client, KilledWorker, Variable
    from distributed.comm import CommClosedError
except ImportError as error:
    raise LabError("--cluster needs dask.distributed", "pip install 'adamas[cluster]'") from error

_PATIENCE = "10s"
"""How long a scheduler may take to answer."""

_AT_ONCE = "10ms"
"""How long a scheduler waits for a variable that nobody has set."""


class _Remote(Checkpoint):
    """A checkpoint that the scheduler keeps: a variable of its own, of which only the last value is there.

    Args:
        spec: the run.
        client: who asks; by default the worker that this is.
    """

    def __init__(self, spec: RunSpec, client: Client | None = None):
        super().__init__(None)
        self._keeps = True
        self._variable = Variable(f"adamas {spec.run_id}", client)

    def keep(self, content: bytes) -> None:
        self._variable.set(content)

    def kept(self) -> bytes | None:
        try:
            content = self._variable.get(timeout=_AT_ONCE)
        except asyncio.TimeoutError:
            return None
        return content if isinstance(content, bytes) else None

    def forget(self) -> None:
        """Removes it."""
        self._variable.delete()


def _train(spec: RunSpec) -> Run:
    """On a worker: trains one spec."""
    ours = {"adamas": adamas.__version__, "torch": torch.__version__}
    for package, version in ours.items():
        if getattr(spec, package) != version:
            raise LabError(
                f"a worker has {package} {version}, the spec asks for {getattr(spec, package)}",
                "install the same on all machines",
            )
    torch.set_num_threads(1)
    with reproducible():
        result = finish(Training(spec), _Remote(spec), stop=lambda: False, heard=lambda point: None)
    return Run(spec=spec, result=result, environment=environment())


class Cluster:
    """The workers of a Dask scheduler; a context manager.

    Args:
        address: of the scheduler, such as `tcp://10.0.0.1:8786`.
        fresh: begin every run again, whatever the scheduler kept of it.

    Raises:
        LabError: nothing answers there, it has no workers, or they would train several runs in one process.
    """

    def __init__(self, address: str, fresh: bool = False):
        self._address, self._fresh = address, fresh
        # What dask has to say about lost connections, people get in a line of ours.
        for name in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError, AssertionError, asyncio.TimeoutError) as error:
            # The AssertionError is distributed's way to say that its own thread did not begin within 10 s.
            raise LabError(
                f"no Dask scheduler answers at {address!r} ({first_line(error)})",
                "start one with: dask scheduler; and give its address, such as tcp://10.0.0.1:8786",
            ) from error
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise

    def _check_workers(self) -> None:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        join = f"dask worker {self._address} --nworkers auto --nthreads 1"
        if not workers:
            raise LabError(f"the scheduler at {self._address!r} has no workers", f"start some with: {join}")
        crowded = [worker for worker in workers.values() if worker["nthreads"] > 1]
        if crowded:
            # Runs in one process would share torch's random stream, and no bits would be the same.
            raise LabError(
                f"a Dask worker trains {crowded[0]['nthreads']} runs at a time in one process",
                f"start workers with one thread each: {join}",
            )

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def train(self, specs: Sequence[RunSpec], store: RunStore, heard: Callable[[Heard], None]) -> Iterator[Run]:
        """Trains and keeps every spec, yielding runs as they finish; of runs under way nothing is heard.

        Raises:
            LabError: a run failed, or the cluster is gone. Runs that finished before it are kept.
        """
        if self._fresh:
            for spec in specs:
                _Remote(spec, self._client).forget()
        with self._client.get_executor(pure=False) as executor:
            pending = {executor.submit(_train, spec): spec for spec in specs}
            try:
                for future in as_completed(pending):
                    run = self._outcome(future, pending[future])
                    store.save(run)
                    _Remote(run.spec, self._client).forget()
                    yield run
            finally:
                for future in pending:
                    future.cancel()

    def _outcome(self, future: "Future[Run]", spec: RunSpec) -> Run:
        try:
            return future.result()
        except LabError:
            raise
        except KilledWorker as error:
            run = f"{spec.workload} with {spec.optimizer}, seed {spec.seed}"
            raise LabError(
                f"the workers that trained {run} died, one after another", "see their logs; finished runs are kept"
            ) from error
        except (CommClosedError, OSError, asyncio.CancelledError) as error:
            raise LabError(
                f"the Dask scheduler at {self._address!r} is gone ({first_line(error)})",
                "the same command again once it is back; finished runs are kept",
            ) from error
        except Exception as error:
            raise failed(spec, error) from error
