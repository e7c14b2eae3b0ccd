"""One training run: paired random streams, a clock on the training steps alone, evaluations at fixed steps.

The same spec gives the same bits of every metric, in any process, whatever ran before it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from torch import nn
from torch.optim import Optimizer

from adamas.lab import optimizers, workloads
from adamas.lab.checkpoint import Checkpoint
from adamas.lab.data import Batch, Data
from adamas.lab.internals import Recorder, weights
from adamas.lab.pictures import Picture
from adamas.lab.results import Point, Result
from adamas.lab.spec import RunSpec
from adamas.lab.streams import batches, initialized_model, reproducible, stream_seed
from adamas.lab.workloads import Workload
from adamas.memory import tensors


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
    each = {id(tensor): tensor for tensor in tensors(optimizer.state)}
    return sum(tensor.numel() * tensor.element_size() for tensor in each.values())


def _evaluate(workload: Workload, model: nn.Module, data: Data) -> tuple[float, float]:
    """Loss over the train split (or its probe) and metric over the test split, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        loss = workload.loss(model, data.train if data.probe is None else data.probe)
        values = loss.item(), workload.metric(model, data.test)
    model.train()
    return values


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


class Training:
    """A run under way: all of its state, advanced one step at a time.

    Args:
        spec: what to train.

    Example:
        >>> training = Training(RunSpec(workload="mlp", optimizer="adam", hyperparameters={"lr": 0.003}, seed=0,
        ...                             steps=4, batch_size=64, eval_every=2))
        >>> while not training.finished:
        ...     training.advance()
        >>> [point.step for point in training.points]
        [0, 2, 4]
    """

    def __init__(self, spec: RunSpec):
        self.spec = spec
        self.workload = workloads.load(spec.workload)
        self.data = self.workload.data()
        self.model = initialized_model(self.workload, spec.seed)
        self.parameters = self.workload.trainable(self.model)
        self.optimizer = optimizers.build(spec.optimizer, spec.hyperparameters, self.parameters, spec.engine)
        self.clock = Clock()
        self.points: list[Point] = []
        self.internals = Recorder()
        self._noise = stream_seed(spec.seed, "noise")
        self._switch("train")
        self.wind(0)

    def wind(self, step: int) -> None:
        """Says that `step` steps are done, and winds the stream of batches on to the next."""
        self.step = step
        self._stream = batches(self.data.train, self.spec.batch_size, self.spec.seed, skip=step)

    @property
    def watched(self) -> nn.Module | None:
        """The module whose weights are whole here, for a look at what the optimizer does to them."""
        return self.model

    @property
    def finished(self) -> bool:
        """Whether the last step is done, or the loss no longer a finite number."""
        return self.step == self.spec.steps or self.diverged

    @property
    def diverged(self) -> bool:
        """Whether the last loss is not a finite number."""
        return bool(self.points) and not math.isfinite(self.points[-1].train_loss)

    def advance(self) -> None:
        """Takes one training step and evaluates if it is time to; the first call evaluates before it, too."""
        if self.step == 0:
            self._evaluate()
        due = (self.step + 1) % self.spec.eval_every == 0 or self.step + 1 == self.spec.steps
        before = weights(self.watched) if due and self.watched is not None else {}
        # Reseeded every step: dropout stays paired even if an optimizer draws random numbers of its own.
        torch.manual_seed(self._noise + self.step + 1)
        _step(self.workload, self.model, self.optimizer, self._stream, self.clock)
        self.step += 1
        if due:
            if self.watched is not None:
                self.internals.measure(self.step, self.watched, self.optimizer, before)
            self._evaluate()

    def _evaluate(self) -> None:
        self._switch("eval")
        # Evaluations that draw samples draw the same ones for every optimizer.
        torch.manual_seed(stream_seed(self.spec.seed, "evaluation"))
        values = _evaluate(self.workload, self.model, self.data)
        self._switch("train")
        self.points.append(self.clock.point(self.step, self.step * self.spec.batch_size, *values))

    def pictures(self) -> tuple[Picture, ...]:
        """What the workload draws of the trained model; nothing if it diverged or is in pieces."""
        model = self.watched
        if self.diverged or model is None:
            return ()
        self._switch("eval")
        torch.manual_seed(stream_seed(self.spec.seed, "pictures"))
        model.eval()
        return tuple(self.workload.pictures(model, self.data))

    def _switch(self, mode: str) -> None:
        """Tells an optimizer that trains and evaluates at different weights (schedule-free ones) which are wanted."""
        switch = getattr(self.optimizer, mode, None)
        if callable(switch):
            switch()


def train(
    spec: RunSpec,
    stop: Callable[[], bool] = lambda: False,
    *,
    heard: Callable[[Point], None] = lambda point: None,
    checkpoint: Path | None = None,
) -> Result:
    """Trains once, as the spec says.

    Args:
        spec: what to train.
        stop: asked after every step whether to give up.
        heard: told of every evaluation, as it is made.
        checkpoint: file to go on from if it is there, and to keep the state of the run in until it is finished.

    Returns:
        The evaluations and what they cost.

    Raises:
        LabError: the spec names something that does not exist.
        Stopped: `stop` said so; the checkpoint, if any, is up to date.

    Example:
        >>> spec = RunSpec(workload="mlp", optimizer="adam", hyperparameters={"lr": 0.003}, seed=0,
        ...                steps=20, batch_size=64, eval_every=10)
        >>> first, _, last = train(spec).points
        >>> last.train_loss < first.train_loss
        True
    """
    with reproducible():
        return finish(Training(spec), Checkpoint(checkpoint), stop, heard)


def finish(training: Training, file: Checkpoint, stop: Callable[[], bool], heard: Callable[[Point], None]) -> Result:
    """Brings a training from where its checkpoint was to its end.

    Args:
        training: a fresh one.
        file: where its state is kept.
        stop: asked after every step whether to give up.
        heard: told of every evaluation.

    Raises:
        Stopped: `stop` said so.
    """
    if file.restore(training):
        heard(training.points[-1])
    while not training.finished:
        seen = len(training.points)
        training.advance()
        for point in training.points[seen:]:
            heard(point)
        if stop():
            file.save(training)
            raise Stopped
        file.save_if_due(training)
    state = state_bytes(training.optimizer)
    pictures = training.pictures()
    return Result(
        points=tuple(training.points),
        parameters=sum(parameter.numel() for parameter in training.parameters),
        state_bytes=state,
        optimizer_step_seconds=median(training.clock.optimizer_steps),
        pictures=pictures,
        internals=training.internals.internals,
    )
