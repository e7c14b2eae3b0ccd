"""Who trains a command's runs: processes of this machine, or a cluster."""

from contextlib import ExitStack

from adamas.lab.executors import Executor
from adamas.lab.pool import Pool


class Trainer:
    """Who trains, and whether to train again what is already there; a context manager.

    Nothing is started before there is something to train, and then it stays for the rest of the command.

    Args:
        workers: processes on this machine.
        fresh: train again what the store has.
        cluster: address of a Dask scheduler whose workers train instead.
    """

    def __init__(self, workers: int = 2, fresh: bool = False, cluster: str | None = None):
        self.fresh = fresh
        self._workers = workers
        self._cluster = cluster
        self._executor: Executor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def executor(self) -> Executor:
        """What trains; started on first use."""
        if self._executor is None:
            self._executor = self._stack.enter_context(self._start())
        return self._executor

    def _start(self) -> Executor:
        if self._cluster is None:
            return Pool(self._workers)
        from adamas.lab.cluster import Cluster

        return Cluster(self._cluster, self.fresh)
