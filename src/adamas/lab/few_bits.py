"""Whether few bits cost anything in the end: final losses with few-bit moments and weights, against float32's.

AdamW trains a workload in float32, and its variant `bfloat16` in several ways, seed by seed from the same weights
(rounded) on the same batches. What float32 spreads over seeds is the measure of what a difference means.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from adamas.lab.analysis import Band, Verdict
from adamas.lab.compare import spec
from adamas.lab.results import Result, Run
from adamas.lab.spec import RunSpec, Settings

FLOAT32 = "float32"
"""The way that the others are measured with: no variant, float32 throughout."""

_BF16, _TAIL = "bfloat16", 0.2


def _way(rounding: str, state_format: str) -> Settings:
    return {"rounding": rounding, "state_format": state_format}


WAYS: Mapping[str, Settings] = {
    FLOAT32: {},
    "split32, float32": _way("split32", "float32"),
    "split24, int8": _way("split24", "int8"),
    "stochastic, int8": _way("stochastic", "int8"),
    "split24, int4": _way("split24", "int4"),
    "nearest, bfloat16": _way("nearest", "bfloat16"),
}
"""How weights are rounded and what moments are stored in; the last is what torch does."""


@dataclass(frozen=True)
class Outcome:
    """What came of one way on one workload.

    Args:
        way: one of `WAYS`.
        loss: final train loss over seeds.
        ratio: final loss over that of float32 with the same seed, over seeds.
        metric: the test metric at the end, over seeds.
        state_bytes: bytes of state a parameter, the bits below weights included.
        verdict: whether the loss is within float32's spread.
    """

    way: str
    loss: Band
    ratio: Band
    metric: Band
    state_bytes: float
    verdict: Verdict


def specs(workload: str, seeds: int, steps: int | None = None) -> dict[str, list[RunSpec]]:
    """The runs it takes, by way, one for each seed; the learning rate is AdamW's on the workload.

    Args:
        workload: without variant.
        seeds: paired seeds.
        steps: of each run; the workload's by default.

    Raises:
        LabError: the workload has no variant `bfloat16`.

    Example:
        >>> specs("cnn", 1)["split24, int8"][0].hyperparameters
        {'lr': 0.0071, 'rounding': 'split24', 'state_format': 'int8'}
    """
    changed = {} if steps is None else {"steps": steps}
    return {
        way: [
            spec(workload if way == FLOAT32 else f"{workload}@{_BF16}", "adamw", seed, changed=settings).model_copy(
                update=changed
            )
            for seed in range(seeds)
        ]
        for way, settings in WAYS.items()
    }


def final_loss(result: Result) -> float:
    """Median of the evaluations of the last fifth of a run: a single one is mostly chance; infinite if it diverged."""
    if result.diverged:
        return math.inf
    last = result.points[-1].step
    return median(point.train_loss for point in result.points if point.step > (1 - _TAIL) * last)


def within(losses: Sequence[float], spread: Sequence[float]) -> Verdict:
    """Judges the claim that losses are within a spread, or under it: by the median; above it, if all of them are.

    Example:
        >>> within([0.9, 1.1, 1.2], [1.0, 1.3]), within([1.2, 1.4, 1.5], [1.0, 1.3]), within([1.4, 1.5], [1.0, 1.3])
        ('holds', 'undecided', 'does not hold')
    """
    if median(losses) <= max(spread):
        return "holds"
    return "does not hold" if min(losses) > max(spread) else "undecided"


def outcomes(runs: Mapping[str, Sequence[Run]]) -> list[Outcome]:
    """Judges every way.

    Args:
        runs: by way, ordered by seed; the same seeds for all.
    """
    losses = {way: [final_loss(run.result) for run in each] for way, each in runs.items()}
    spread = losses[FLOAT32]
    return [
        Outcome(
            way=way,
            loss=Band.over(losses[way]),
            ratio=Band.over(own / reference for own, reference in zip(losses[way], spread, strict=True)),
            metric=Band.over(run.result.points[-1].test_metric for run in each),
            state_bytes=each[0].result.state_bytes / each[0].result.parameters,
            verdict=within(losses[way], spread),
        )
        for way, each in runs.items()
    ]
