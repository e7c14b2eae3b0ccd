"""One training run: paired random streams, a clock on the training steps alone, evaluations at fixed steps.

The same spec gives the same bits of every metric, in any process, whatever ran before it.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from adamas.lab import optimizers, workloads
from adamas.lab.data import Batch, Data
from adamas.lab.errors import LabError
from adamas.lab.pictures import Picture
from adamas.lab.results import Point, Result
from adamas.lab.spec import RunSpec
from adamas.lab.workloads import Workload


class Stopped(Exception):  # noqa: N818 - an answer to a request, not an error
    """Training was asked to stop before its last step."""


@dataclass
class Clock:
    """What the training steps have cost so far."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    optimizer_steps: list[float] = field(default_factory=list)

    def point(self, step: int, examples: int, train_loss: float, test_metric: float) -> Point:
        """Stamps an evaluation with the cost at which it was reached."""
        return Point(
            step=step,
            examples=examples,
            seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            optimizer_seconds=math.fsum(self.optimizer_steps),
            train_loss=train_loss,
            test_metric=test_metric,
        )


def stream_seed(seed: int, stream: str) -> int:
    """Derives the seed of one random stream, so that no two streams or paired seeds share numbers.

    Example:
        >>> stream_seed(0, "batches") == stream_seed(0, "initialization")
        False
    """
    return int.from_bytes(hashlib.sha256(f"{stream}:{seed}".encode()).digest()[:7], "big")


def initialized_model(workload: Workload, seed: int) -> nn.Module:
    """The workload's model with the initial weights of that paired seed, the same for every optimizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "initialization"))
        return workload.model()


def batches(data: Batch, batch_size: int, seed: int) -> Iterator[Batch]:
    """Endless shuffled batches, the same for every optimizer; a short last batch of an epoch is left out.

    Args:
        data: tensors that share their first axis.
        batch_size: examples per batch.
        seed: number of the paired seed.

    Example:
        >>> stream = batches((torch.arange(5),), batch_size=2, seed=0)
        >>> [len(next(stream)[0]) for _ in range(4)]
        [2, 2, 2, 2]
    """
    count = len(data[0])
    if batch_size > count:
        raise LabError(f"a batch of {batch_size} is larger than the {count} training examples", "make it smaller")
    generator = torch.Generator().manual_seed(stream_seed(seed, "batches"))
    while True:
        order = torch.randperm(count, generator=generator)
        for start in range(0, count - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield tuple(tensor[chosen] for tensor in data)


def state_bytes(optimizer: Optimizer) -> int:
    """Bytes in all tensors of `optimizer.state`, each counted once.

    Example:
        >>> weight = nn.Parameter(torch.zeros(1000))
        >>> weight.grad = torch.ones(1000)
        >>> optimizer = torch.optim.SGD([weight], momentum=0.9)
        >>> optimizer.step()
        >>> state_bytes(optimizer)
        4000
    """
    tensors: dict[int, Tensor] = {}

    def collect(value: Any) -> None:
        if isinstance(value, Tensor):
            tensors[id(value)] = value
        elif isinstance(value, Mapping):
            for part in value.values():
                collect(part)
        elif isinstance(value, (list, tuple)):
            for part in value:
                collect(part)

    collect(optimizer.state)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread, as sums over several round differently; and the caller's random stream left as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def _evaluate(workload: Workload, model: nn.Module, data: Data) -> tuple[float, float]:
    """Loss over the train split (or its probe) and metric over the test split, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        loss = workload.loss(model, data.train if data.probe is None else data.probe)
        values = loss.item(), workload.metric(model, data.test)
    model.train()
    return values


def _pictures(spec: RunSpec, workload: Workload, model: nn.Module) -> tuple[Picture, ...]:
    torch.manual_seed(stream_seed(spec.seed, "pictures"))
    model.eval()
    return tuple(workload.pictures(model, workload.data()))


def _step(workload: Workload, model: nn.Module, optimizer: Optimizer, stream: Iterator[Batch], clock: Clock) -> None:
    start, cpu_start = perf_counter(), process_time()
    optimizer.zero_grad()
    workload.training_loss(model, next(stream)).backward()
    before = perf_counter()
    optimizer.step()
    end = perf_counter()
    clock.cpu_seconds += process_time() - cpu_start
    clock.seconds += end - start
    clock.optimizer_steps.append(end - before)


def _training(
    spec: RunSpec, workload: Workload, model: nn.Module, optimizer: Optimizer, clock: Clock
) -> Iterator[Point]:
    """Trains, yielding each evaluation; ends early when the loss is no longer finite."""
    data = workload.data()
    stream = batches(data.train, spec.batch_size, spec.seed)
    noise = stream_seed(spec.seed, "noise")
    yield clock.point(0, 0, *_evaluate(workload, model, data))
    for step in range(1, spec.steps + 1):
        # Reseeded every step: dropout stays paired even if an optimizer draws random numbers of its own.
        torch.manual_seed(noise + step)
        _step(workload, model, optimizer, stream, clock)
        if step % spec.eval_every == 0 or step == spec.steps:
            point = clock.point(step, step * spec.batch_size, *_evaluate(workload, model, data))
            yield point
            if not math.isfinite(point.train_loss):
                return


def train(spec: RunSpec, stop: Callable[[], bool] = lambda: False) -> Result:
    """Trains once, as the spec says.

    Args:
        spec: what to train.
        stop: asked after every evaluation whether to give up.

    Returns:
        The evaluations and what they cost.

    Raises:
        LabError: the spec names something that does not exist.
        Stopped: `stop` said so.

    Example:
        >>> spec = RunSpec(workload="mlp", optimizer="adam", hyperparameters={"lr": 0.003}, seed=0,
        ...                steps=20, batch_size=64, eval_every=10)
        >>> first, _, last = train(spec).points
        >>> last.train_loss < first.train_loss
        True
    """
    workload = workloads.load(spec.workload)
    clock = Clock()
    points: list[Point] = []
    with reproducible():
        model = initialized_model(workload, spec.seed)
        parameters = workload.trainable(model)
        optimizer = optimizers.build(spec.optimizer, spec.hyperparameters, parameters, spec.engine)
        for point in _training(spec, workload, model, optimizer, clock):
            points.append(point)
            if stop():
                raise Stopped
        state = state_bytes(optimizer)
        pictures = _pictures(spec, workload, model) if math.isfinite(points[-1].train_loss) else ()
    return Result(
        points=tuple(points),
        parameters=sum(parameter.numel() for parameter in parameters),
        state_bytes=state,
        optimizer_step_seconds=median(clock.optimizer_steps),
        pictures=pictures,
    )
