"""One run over several devices, through Lightning Fabric: `ddp` replicates the model, `fsdp` shards it (FSDP2).

Every process takes its part of the same batches, so that the run descends as it does in one process, up to the
rounding of the averaged gradients; dropout differs, as each process draws masks for its own examples, and batch norm
normalizes over a process's part of the batch. GPUs where there are enough of them, processes with gloo where not.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from adamas.lab import optimizers
from adamas.lab.checkpoint import Checkpoint
from adamas.lab.data import Batch, Data
from adamas.lab.errors import LabError
from adamas.lab.executors import failed
from adamas.lab.leaving import leave_with_parent
from adamas.lab.pieces import Pieces, first_says
from adamas.lab.processes import context_with
from adamas.lab.results import Point, Result
from adamas.lab.spec import RunSpec
from adamas.lab.streams import reproducible, stream_seed
from adamas.lab.train import Stopped, Training, finish

try:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy
except ImportError as error:
    raise LabError("--strategy needs lightning-fabric", "pip install 'adamas[cluster]'") from error

Strategy = Literal["ddp", "fsdp"]

_LISTEN = 0.2
"""Seconds between two looks at whether to stop."""

_DYING = 5.0
"""Seconds after an error in which a process is waited for that may have been killed before."""


def check(spec: RunSpec) -> None:
    """Finds out whether a run can be spread as its spec says.

    Raises:
        LabError: an unknown strategy, or a batch that can't be divided.
    """
    if spec.strategy not in get_args(Strategy):
        said = f"no strategy is called {spec.strategy!r}" if spec.strategy else "--devices needs a --strategy"
        raise LabError(said, f"there are {', '.join(get_args(Strategy))}")
    if spec.batch_size % spec.devices:
        raise LabError(
            f"a batch of {spec.batch_size} can't be divided among {spec.devices} devices",
            "choose another --batch-size or --devices",
        )


def _shard(model: nn.Module, mesh: Any) -> nn.Module:
    """Shards every parameter; one group of them, as what the lab trains has no layer worth a group of its own."""
    from torch.distributed.fsdp import fully_shard

    fully_shard(model, mesh=mesh["data_parallel"])
    return model


def _fabric(spec: RunSpec) -> Fabric:
    gpus = torch.cuda.device_count() >= spec.devices
    sharded = ModelParallelStrategy(_shard, data_parallel_size=spec.devices, tensor_parallel_size=1)
    strategy = DDPStrategy() if spec.strategy == "ddp" else sharded
    return Fabric(accelerator="cuda" if gpus else "cpu", devices=spec.devices, strategy=strategy)


class SpreadTraining(Training):
    """A training in one of several processes.

    Args:
        spec: what to train.
        fabric: the processes.
    """

    def __init__(self, spec: RunSpec, fabric: Fabric):
        self._fabric = fabric
        super().__init__(spec)
        data = self.data
        probe = None if data.probe is None else fabric.to_device(data.probe)
        self.data = Data(train=fabric.to_device(data.train), test=fabric.to_device(data.test), probe=probe)
        self._whole = self.model
        self.model = fabric.setup_module(self.model)
        # Only now are the parameters those that will be trained: sharding replaces them.
        self.parameters = self.workload.trainable(self.model)
        optimizer = optimizers.build(spec.optimizer, spec.hyperparameters, self.parameters, spec.engine)
        self.optimizer = fabric.setup_optimizers(optimizer)
        if fabric.global_rank > 0:
            self._noise = stream_seed(spec.seed, f"noise of process {fabric.global_rank}")
        self._switch("train")
        self.wind(0)

    @property
    def watched(self) -> nn.Module | None:
        """The module, unless its weights are in pieces."""
        return self._whole if self.spec.strategy == "ddp" else None

    def wind(self, step: int) -> None:
        """Says that `step` steps are done, and winds this process's part of the batches on to the next."""
        super().wind(step)
        self._stream = self._part(self._stream)

    def _part(self, stream: Iterator[Batch]) -> Iterator[Batch]:
        for batch in stream:
            yield tuple(tensor[self._fabric.global_rank :: self._fabric.world_size] for tensor in batch)


def _process(rank: int, port: int, spec: RunSpec, checkpoint: Path | None, stop: Event, parent: Connection) -> None:
    """One of the processes; the first of them tells the parent of evaluations and of the result."""
    leave_with_parent()
    torch.set_num_threads(1)
    # By these, Fabric knows that its processes have been started already.
    place = {"LOCAL_RANK": rank, "NODE_RANK": 0, "WORLD_SIZE": spec.devices, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()}, MASTER_ADDR="127.0.0.1")
    first = rank == 0
    # Fabric tells who joined; that is not for people who asked for one run.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        fabric = _fabric(spec)
        fabric.launch()
        with reproducible():
            training = SpreadTraining(spec, fabric)
            heard = parent.send if first else lambda point: None
            result = finish(training, *_kept_and_stopped(training, fabric, checkpoint, stop), heard)
        if first:
            parent.send(result)
    except Stopped:
        if first:  # the others may be here before it has written the checkpoint
            parent.send(None)
    except Exception as error:
        parent.send(error if isinstance(error, LabError) else failed(spec, error))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _kept_and_stopped(
    training: SpreadTraining, fabric: Fabric, path: Path | None, stop: Event
) -> tuple[Checkpoint, Callable[[], bool]]:
    """Where this process keeps the state, and how it knows that it has to stop."""
    if training.spec.strategy == "fsdp":
        return Pieces(path, fabric.device), lambda: first_says(stop.is_set(), fabric.device)
    if fabric.global_rank == 0:
        return Checkpoint(path), stop.is_set
    # Replicas are all alike: the first one's are kept, and once it stops, so does the program.
    Checkpoint(path).restore(training)
    return Checkpoint(None), lambda: False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def train_spread(
    spec: RunSpec,
    stop: Callable[[], bool] = lambda: False,
    *,
    heard: Callable[[Point], None] = lambda point: None,
    checkpoint: Path | None = None,
) -> Result:
    """Trains once in several processes, as the spec says.

    Args:
        spec: what to train, with a strategy and a number of devices.
        stop: asked now and then whether to give up.
        heard: told of every evaluation.
        checkpoint: file to go on from, and to keep the state in.

    Raises:
        LabError: it can't be spread so, or a process died.
        Stopped: `stop` said so.
    """
    check(spec)
    context = context_with(__name__)
    told, telling = context.Pipe(duplex=False)
    halt, port = context.Event(), _free_port()
    processes = [
        context.Process(target=_process, args=(rank, port, spec, checkpoint, halt, telling), daemon=True)
        for rank in range(spec.devices)
    ]
    for process in processes:
        process.start()
    telling.close()
    try:
        return _follow(told, processes, stop, halt, heard)
    finally:
        for process in processes:
            process.kill()
            process.join()
        told.close()


def _follow(
    told: Connection,
    processes: Sequence[BaseProcess],
    stop: Callable[[], bool],
    halt: Event,
    heard: Callable[[Point], None],
) -> Result:
    """Listens to the processes until one of them has the result, or something to say about why there is none."""
    while True:
        if stop():
            halt.set()
        wait([told, *(process.sentinel for process in processes)], timeout=_LISTEN)
        while told.poll():
            try:
                message = told.recv()
            except EOFError:
                break
            if isinstance(message, Point):
                heard(message)
            elif isinstance(message, Result):
                return message
            elif message is None:
                raise Stopped
            else:
                _check_alive(processes, within=_DYING)
                raise message
        _check_alive(processes)


def _check_alive(processes: Sequence[BaseProcess], within: float = 0.0) -> None:
    """Finds out whether a process was killed, or will have been in some seconds.

    One that lost the other says so, and is not what went wrong. It can say it before the system counts the other among
    the dead: its connections are closed first. Where none was killed all end by themselves, and there is no wait.
    """
    deadline = time.monotonic() + within
    while True:
        if any(process.exitcode for process in processes):
            raise LabError(
                "a process of the run died (killed, or out of memory)",
                "the same command again, it goes on from where it was",
            )
        living = [process.sentinel for process in processes if process.exitcode is None]
        remaining = deadline - time.monotonic()
        if not living or remaining <= 0:
            return
        wait(living, timeout=remaining)
