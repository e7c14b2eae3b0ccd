"""From seconds to what a reader wants to know: medians, ratios, GB/s, share of the limit, bars."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from adamas.lab.bench.limits import KERNELS
from adamas.lab.bench.measure import MEMORY, CaseRun, Lane


@dataclass(frozen=True)
class Traffic:
    """Bytes a parameter that weights, gradients and optimizer state take.

    A step has to read all three and to write weights and state: `2 param + grad + 2 state` bytes. That is the
    least any implementation can move; one with temporaries (foreach, for-loop) moves more, so its GB/s here
    are useful GB/s. Counted in the tensors a contender really has, so that 8-bit state counts as what it is.

    Example:
        >>> Traffic(param=4, grad=4, state=8).moved  # AdamW float32: p, g, m, v read and p, m, v written
        28
        >>> Traffic(param=2, grad=2, state=8).moved  # bfloat16 weights and gradients, float32 moments
        22

    Of sparse gradients, ``share`` is that of the parameters that they touch.
    """

    param: float
    grad: float
    state: float
    share: float = 1

    @property
    def moved(self) -> float:
        """Bytes a parameter that a step has to move."""
        return self.share * (2 * self.param + self.grad + 2 * self.state)


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ContenderResult:
    """One line of a case's table; times in milliseconds per step."""

    name: str
    fastest_ms: float
    median_ms: float
    ratio: Ratio
    state_bytes: float
    moved_bytes: float
    gbps: float
    share: float | None
    steps_per_chunk: int
    version: str | None
    engine: str | None
    samples_ms: list[float]


@dataclass(frozen=True)
class LimitResult:
    """One memory kernel: GB/s as the program counts them, and with write-allocate reads (see `limits`)."""

    name: str
    gbps: float
    gbps_fastest: float
    gbps_with_write_allocate: float


@dataclass(frozen=True)
class BarResult:
    """A bar and what was measured of it.

    Attributes:
        text: the promise.
        measured: the ratio, or None where a side is missing.
        met: whether the ratio of medians keeps the promise; None where one is missing or the run was quick.
        close: the interval holds values that keep the promise and values that break it.
    """

    text: str
    measured: Ratio | None = None
    met: bool | None = None
    close: bool = False


@dataclass(frozen=True)
class CaseResult:
    """All there is to say of a case."""

    key: str
    title: str
    tensors: int
    parameters: int
    dtype: str
    traffic: str
    base: str | None
    rounds: int
    starts: int
    contenders: list[ContenderResult]
    limits: list[LimitResult]
    limit_gbps: float | None
    bar: BarResult
    missing: dict[str, str]
    failed: dict[str, str]
    interrupted: bool


def ratio_of_medians(
    over: Sequence[float], under: Sequence[float], rounds: int | None = None, draws: int = 2000
) -> Ratio:
    """Divide two medians, with a 95 % interval from resampling rounds.

    A round is drawn with both its times, because noise that slows one slows the other. The same input gives
    the same interval. With few rounds it is rough: seven can't show much more than their own spread.
    Of processes that were started several times, starts are drawn, and rounds of each: rounds of one are alike.

    Args:
        over: times, one a round.
        under: times of the same rounds.
        rounds: how many of them are of one start; None: all.
        draws: how many samples the interval is of.

    Example:
        >>> ratio_of_medians([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
        Ratio(value=2.0, low=2.0, high=2.0)
        >>> ratio_of_medians([2.0, 2.0, 6.0, 6.0, 4.0, 4.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], rounds=2)
        Ratio(value=4.0, low=2.0, high=6.0)
    """
    pairs = list(zip(over, under, strict=False))  # an interrupted round may lack its second half
    size = rounds or len(pairs)
    starts = [pairs[at : at + size] for at in range(0, len(pairs), size)]
    draw = random.Random(0)
    ratios = []
    for _ in range(draws):
        drawn = draw.choices(starts, k=len(starts))
        sample = [pair for start in drawn for pair in draw.choices(start, k=len(start))]
        ratios.append(median(a for a, _ in sample) / median(b for _, b in sample))
    ratios.sort()
    low, high = ratios[int(0.025 * draws)], ratios[int(0.975 * draws)]
    return Ratio(median(a for a, _ in pairs) / median(b for _, b in pairs), low, high)


def summarize(run: CaseRun, quick: bool = False) -> CaseResult:
    """Work out a case's results; contenders without a finished chunk are left out."""
    parameters = sum(math.prod(shape) for shape in run.shapes)
    limits = _limits(run)
    limit = max((kernel.gbps for kernel in limits), default=None)
    lanes = {lane.name: lane for lane in run.lanes if lane.seconds}
    rounds = min((len(lane.seconds) for lane in lanes.values()), default=0)
    base = run.case.base if run.case.base in lanes else next(iter(lanes), None)
    contenders = [_contender(lane, run, parameters, limit, lanes[base]) for lane in lanes.values() if base is not None]
    return CaseResult(
        key=run.case.key,
        title=run.case.title,
        tensors=len(run.shapes),
        parameters=parameters,
        dtype=run.case.dtype,
        traffic=run.case.traffic,
        base=base,
        rounds=rounds,
        starts=math.ceil(rounds / run.rounds),
        contenders=contenders,
        limits=limits,
        limit_gbps=limit,
        bar=_bar(run, lanes, quick),
        missing=run.missing,
        failed=run.failed,
        interrupted=run.interrupted,
    )


def _contender(lane: Lane, run: CaseRun, parameters: int, limit: float | None, base: Lane) -> ContenderResult:
    facts = run.facts[lane.name]
    traffic = Traffic(**facts["traffic"])
    gbps = traffic.moved * parameters / median(lane.seconds) / 1e9
    return ContenderResult(
        name=lane.name,
        fastest_ms=1e3 * min(lane.seconds),
        median_ms=1e3 * median(lane.seconds),
        ratio=ratio_of_medians(lane.seconds, base.seconds, run.rounds),
        state_bytes=traffic.state,
        moved_bytes=traffic.moved,
        gbps=gbps,
        share=gbps / limit if limit else None,
        steps_per_chunk=lane.calls,
        version=facts.get("version"),
        engine=facts.get("engine"),
        samples_ms=[1e3 * seconds for seconds in lane.seconds],
    )


def _limits(run: CaseRun) -> list[LimitResult]:
    by_name = {kernel.name: kernel for kernel in KERNELS}
    elements = run.facts.get(MEMORY, {}).get("elements", 0)
    results = []
    for lane in run.memory:
        if not lane.seconds:
            continue
        kernel = by_name[lane.name]
        calls = elements / median(lane.seconds) / 1e9
        fastest = elements / min(lane.seconds) / 1e9
        results.append(LimitResult(lane.name, kernel.counted * calls, kernel.counted * fastest, kernel.moved * calls))
    return results


def _bar(run: CaseRun, lanes: dict[str, Lane], quick: bool) -> BarResult:
    bar = run.case.bar
    if bar.over not in lanes or bar.under not in lanes:
        return BarResult(str(bar))
    measured = ratio_of_medians(lanes[bar.over].seconds, lanes[bar.under].seconds, run.rounds)
    if quick:
        return BarResult(str(bar), measured)
    close = bar.met(measured.low) != bar.met(measured.high)
    return BarResult(str(bar), measured, bar.met(measured.value), close)
