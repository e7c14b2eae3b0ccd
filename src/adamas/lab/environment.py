"""Where a run ran: what a reader needs to judge its timings."""

import os
import platform
from functools import cache
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

import adamas
from adamas.engines import library, select
from adamas.lab.errors import LabError


class Environment(BaseModel):
    """Software and hardware of one process.

    Args:
        adamas: version of adamas.
        torch: version of torch, with its build tag.
        python: version of Python.
        system: operating system and architecture.
        processor: the processor's name.
        cores: processor cores this process may use.
        threads: threads torch computes with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    adamas: str
    torch: str
    python: str
    system: str
    processor: str
    cores: int
    threads: int


def engine() -> str:
    """The engine that steps ordinary parameters here: `cpu`, `reference` where that is missing, or what was asked for.

    Raises:
        LabError: the environment variable that chooses the engine names none.

    Example:
        >>> engine() in ("cpu", "reference", "triton")
        True
    """
    try:
        wanted = select.wanted_engine("auto")
    except ValueError as error:
        raise LabError(str(error), "change or unset it") from error
    if wanted == "triton":
        return wanted
    return "reference" if wanted == "reference" or library.load() is None else "cpu"


@cache
def _processor() -> str:
    """The processor's name; `platform.processor()` is empty or just 'x86_64' on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment() -> Environment:
    """Describes the process that calls it.

    Example:
        >>> environment().threads == torch.get_num_threads()
        True
    """
    return Environment(
        adamas=adamas.__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=_cores(),
        threads=torch.get_num_threads(),
    )
