"""Batch size: how many steps, and how many examples, it takes to the target with each, at its own learning rate.

Small batches scale perfectly, twice the size takes half the steps; from some size on, it does not. Where that is,
the gradient noise scale predicts to an order of magnitude. A learning rate that is right for one size is wrong for
another, so each size has its own search. Shallue et al. (2019), "Measuring the effects of data parallelism".
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from adamas.lab import workloads
from adamas.lab.analysis import Band, crossing
from adamas.lab.compare import collect, spec
from adamas.lab.errors import LabError
from adamas.lab.noise_scale import NoiseScale, noise_scale
from adamas.lab.results import Run, RunStore
from adamas.lab.spec import RunSpec
from adamas.lab.train import Training
from adamas.lab.trainer import Trainer
from adamas.lab.tune import FIRST_SEED, search


@dataclass(frozen=True)
class Outcome:
    """One batch size at its best learning rate.

    Args:
        optimizer: name of the optimizer.
        size: examples per step.
        lr: the learning rate found for this size.
        steps: steps to the target, over seeds.
        seconds: median time of the training steps up to there.
    """

    optimizer: str
    size: int
    lr: float
    steps: Band
    seconds: float

    @property
    def examples(self) -> float:
        """Examples to the target."""
        return self.steps.median * self.size


@dataclass(frozen=True)
class Question:
    """What to find out.

    Args:
        workload: name of the workload.
        sizes: examples per step.
        trials: learning rates to try for each size.
        seeds: seeds per learning rate, and again as many others to judge the best one on.
    """

    workload: str
    sizes: Sequence[int]
    trials: int
    seeds: int


def sized_spec(workload: str, optimizer: str, seed: int, size: int, lr: float | None = None) -> RunSpec:
    """The spec of a run with another batch size.

    A smaller batch gets as many more steps as it takes to see the same examples; a larger one keeps the steps, as
    that it needs no fewer is what there may be to see. Evaluations come in proportion to the size.

    Example:
        >>> [(each.steps, each.eval_every) for each in (sized_spec("mlp", "sgd", 0, size) for size in (16, 64, 256))]
        [(4000, 80), (1000, 20), (1000, 5)]
    """
    chosen = workloads.load(workload)
    ratio = chosen.batch_size / size
    return spec(workload, optimizer, seed, lr).model_copy(
        update={
            "batch_size": size,
            "steps": math.ceil(chosen.steps * max(1.0, ratio)),
            "eval_every": max(1, round(chosen.eval_every * ratio)),
        }
    )


def outcomes(question: Question, optimizer: str, store: RunStore, trainer: Trainer) -> list[Outcome]:
    """Finds steps to the target for every batch size, each at the learning rate that is best for it."""
    chosen = workloads.load(question.workload)
    examples = len(chosen.data().train[0])
    if max(question.sizes) > examples:
        raise LabError(f"a batch of {max(question.sizes)} is larger than the {examples} training examples", "drop it")
    found = []
    for size in question.sizes:

        def runs_at(rate: float, first_seed: int, size: int = size) -> list[Run]:
            seeds = range(first_seed, first_seed + question.seeds)
            specs = [sized_spec(question.workload, optimizer, seed, size, rate) for seed in seeds]
            return collect(specs, store, trainer)

        def evaluate(pairs: list[tuple[str, float]], runs_at=runs_at) -> list[float]:
            return [median(_cost(run, chosen.target) for run in runs_at(rate, FIRST_SEED)) for _, rate in pairs]

        tuned = spec(question.workload, optimizer, 0).hyperparameters["lr"]
        assert isinstance(tuned, (int, float))
        # Where theory sees it for adaptive methods; the search goes on from there by itself.
        start = tuned * math.sqrt(size / chosen.batch_size)
        scores = search([optimizer], question.trials, evaluate, {optimizer: start})[optimizer]
        rate = min(scores, key=lambda rate: scores[rate])
        found.append(_outcome(optimizer, size, rate, runs_at(rate, 0), chosen.target))
    return found


def _steps(run: Run, target: float) -> float:
    points = run.result.points
    return crossing([point.step for point in points], [point.train_loss for point in points], target).first


def _cost(run: Run, target: float) -> float:
    """Steps to the target; past the budget for those that miss it, the further the more is left to descend."""
    steps, last = _steps(run, target), run.result.points[-1].train_loss
    if math.isfinite(steps):
        return steps
    return run.spec.steps * (2 + max(0.0, math.log(last / target))) if math.isfinite(last) else math.inf


def _outcome(optimizer: str, size: int, rate: float, runs: Sequence[Run], target: float) -> Outcome:
    steps = [_steps(run, target) for run in runs]
    seconds = [
        next((point.seconds for point in run.result.points if point.step == step), math.inf)
        for run, step in zip(runs, steps, strict=True)
    ]
    return Outcome(optimizer, size, rate, Band.over(steps), median(seconds))


def noise_scales(wanted: RunSpec, shares: Sequence[float] = (0.01, 0.1, 0.5)) -> Iterator[NoiseScale]:
    """Trains once and measures the gradient noise scale after some shares of the steps.

    Args:
        wanted: what to train.
        shares: of the steps, ascending.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            training = Training(wanted)
            for share in shares:
                while training.step < share * wanted.steps and not training.finished:
                    training.advance()
                yield noise_scale(training)
    finally:
        torch.set_num_threads(threads)
