"""The schedule: every contender in a process of its own, taking turns A B A B.

A machine's speed drifts (other jobs, clock, temperature) by more than the differences we look for. Contenders
that take turns, one chunk of at least 50 ms each, are hit alike, and the ratio of their times stays. While
one runs, the others are blocked on a pipe. The memory limit is measured in the same turns.

Where a process's memory happens to lie is drawn once, when it starts, and some contenders' times differ more by it than
by all else. So processes can be started anew, several times, and the intervals then say how much that matters.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from adamas.lab.bench.cases import Case, Entry
from adamas.lab.bench.child import Child, ContenderError
from adamas.lab.bench.contenders import adapter_of
from adamas.lab.bench.limits import KERNELS, array_bytes, l3_bytes

MEMORY = "memory limit"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        rounds: chunks per contender, of each start.
        starts: how often all processes are started anew.
        threads: OpenMP threads of each worker, or None for torch's default.
        quick: small tensors and short chunks, to see that everything runs.
    """

    rounds: int = 7
    starts: int = 1
    threads: int | None = None
    quick: bool = False

    @property
    def chunk_seconds(self) -> float:
        """The least time one chunk takes."""
        return 0.002 if self.quick else 0.05


class Asked(Protocol):
    """What the schedule needs of a `Child`."""

    name: str

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        ...


@dataclass
class Lane:
    """One thing that takes turns: a kernel of a worker.

    Attributes:
        name: of the contender, or of the memory kernel.
        child: the worker that runs it, or ran it last.
        kernel: what the worker is asked to time.
        calls: calls in a chunk, set by `warm_up`.
        lead: untimed calls before a chunk.
        seconds: one number a round, seconds per call.
    """

    name: str
    child: Asked
    kernel: str = "step"
    calls: int = 1
    lead: int = 0
    seconds: list[float] = field(default_factory=list)

    def warm_up(self, chunk_seconds: float) -> None:
        """Let the worker get warm and choose how many calls make a chunk."""
        fastest = self.child.ask(do="warmup", kernel=self.kernel, budget=10 * chunk_seconds)["seconds"]
        self.calls = max(1, math.ceil(chunk_seconds / fastest))
        self.lead = math.ceil(self.calls / 4) if fastest < chunk_seconds else 0

    def take_turn(self) -> None:
        """Time one chunk."""
        reply = self.child.ask(do="chunk", kernel=self.kernel, calls=self.calls, lead=self.lead)
        self.seconds.append(reply["seconds"] / self.calls)


@dataclass
class CaseRun:
    """What was measured of a case, complete or not.

    Attributes:
        case: which.
        shapes: its tensors.
        lanes: contenders that finished or were interrupted, with their times.
        memory: kernels of the memory limit, with their times.
        facts: what each worker said of itself after its setup.
        missing: contenders that are not installed, with the reason.
        failed: contenders that broke, with the reason.
        rounds: chunks of a lane from one start.
        interrupted: Ctrl-C came before the last round.
    """

    case: Case
    shapes: list[tuple[int, ...]]
    lanes: list[Lane] = field(default_factory=list)
    memory: list[Lane] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rounds: int = Settings.rounds
    interrupted: bool = False


def run_case(
    case: Case,
    entries: Sequence[Entry],
    settings: Settings,
    tell: Tell = lambda text: None,
    start: Callable[..., Child] = Child,
) -> CaseRun:
    """Measure one case; Ctrl-C ends it early with what there is.

    Args:
        case: what to time.
        entries: the contenders to time it with.
        settings: how.
        tell: called with a line of progress before each turn.
        start: starts a worker, for tests.
    """
    run = CaseRun(case, case.shapes(settings.quick), rounds=settings.rounds)
    try:
        for number in range(1, settings.starts + 1):
            about = f"{case.key}, start {number} of {settings.starts}" if settings.starts > 1 else case.key
            _measure_once(run, entries, settings, lambda text, about=about: tell(f"{about}: {text}"), start)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def _measure_once(
    run: CaseRun, entries: Sequence[Entry], settings: Settings, tell: Tell, start: Callable[..., Child]
) -> None:
    """Start a process for everyone that has not failed, and measure all rounds with them."""
    children: list[Child] = []
    try:
        for name, job in jobs(run, entries, settings):
            if name not in run.failed:
                children.append(start(name, job, settings.threads))
        tell("setting up")
        for child in children:
            _admit(run, child)
        for lane in run.lanes + run.memory:
            tell(f"warming up {lane.name}")
            _attempt(run, lane, lambda lane: lane.warm_up(settings.chunk_seconds))
        alternate(run, settings.rounds, tell)
    finally:
        for child in children:
            child.close()


def jobs(run: CaseRun, entries: Sequence[Entry], settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """Spell out what each worker has to set up; contenders that aren't installed go to `run.missing`."""
    made: list[tuple[str, dict[str, Any]]] = []
    for entry in entries:
        adapter = adapter_of(entry)
        if reason := adapter.missing():
            run.missing[entry.name] = reason
            continue
        job = {
            "kind": "contender",
            "target": adapter.target,
            "options": adapter.keywords(entry.options),
            "shapes": run.shapes,
            "dtype": run.case.dtype,
            "group_per_tensor": entry.group_per_tensor,
            "clip_grad_norm": entry.clip_grad_norm,
            "grad_reads": run.case.grad_reads,
            "zero_grad": run.case.zero_grad,
            "touched": run.case.touched,
        }
        made.append((entry.name, job))
    if made:
        made.append((MEMORY, {"kind": "memory", "array_bytes": array_bytes(l3_bytes(), settings.quick)}))
    return made


def alternate(run: CaseRun, rounds: int, tell: Tell = lambda text: None) -> None:
    """Give everyone a turn, then everyone another one: A B A B."""
    for number in range(1, rounds + 1):
        for lane in run.lanes + run.memory:
            tell(f"round {number} of {rounds}, {lane.name}")
            _attempt(run, lane, Lane.take_turn)


def _admit(run: CaseRun, child: Child) -> None:
    """Wait for a worker's setup and give it its lanes, those of its name from an earlier start if there was one."""
    try:
        run.facts[child.name] = child.ready()
    except ContenderError as error:
        return _leave(run, error)
    lanes = [lane for lane in run.lanes + run.memory if lane.child.name == child.name]
    for lane in lanes:
        lane.child = child
    if lanes:
        return
    if child.name == MEMORY:
        run.memory = [Lane(kernel.name, child, kernel.name) for kernel in KERNELS]
    else:
        run.lanes.append(Lane(child.name, child))


def _attempt(run: CaseRun, lane: Lane, action: Callable[[Lane], None]) -> None:
    """Do something with a lane; if its worker dies, note why and go on with the others."""
    try:
        action(lane)
    except ContenderError as error:
        _leave(run, error)


def _leave(run: CaseRun, error: ContenderError) -> None:
    """Note why a contender broke, and go on without it."""
    run.failed.setdefault(error.name, error.reason)
    run.lanes = [lane for lane in run.lanes if lane.child.name != error.name]
    run.memory = [lane for lane in run.memory if lane.child.name != error.name]
