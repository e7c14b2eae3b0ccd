"""The machine and the versions a number belongs to."""

import os
from typing import Any

from adamas.lab.bench.limits import l3_bytes
from adamas.lab.bench.measure import MEMORY, CaseRun
from adamas.lab.environment import environment


def load_average() -> float | None:
    """Return how many processes wanted a core in the last minute, or None where the system doesn't say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def describe(runs: list[CaseRun], load: float | None = None) -> dict[str, Any]:
    """Gather what another machine would need to know to compare its numbers.

    The threads are those of the workers, which may differ from this process's.

    Args:
        runs: what was measured.
        load: load average before it was, when the load was not yet our own.

    Example:
        >>> {"processor", "cores", "threads", "torch", "torch_isa", "load_before"} <= set(describe([]))
        True
    """
    worker = next((run.facts[MEMORY] for run in runs if MEMORY in run.facts), {})
    described = environment().model_dump()
    return described | {
        "l3_bytes": l3_bytes(),
        "load_before": load,
        "threads": worker.get("torch_threads", described["threads"]),
        "torch_isa": worker.get("torch_isa"),
    }
