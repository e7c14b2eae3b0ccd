"""A program that saves checkpoints and is killed, again and again: ``python -m tests.checkpoint.killing FOLDER``.

It forks the savers, so that 50 of them cost the import of torch only once. What it saw, it prints as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

import adamas

KILLS, KEEP = 50, 3
SUFFIXES = (".safetensors", ".pt")
_ELEMENTS = 100_000


def save_for_ever(folder: Path, suffix: str, report: Callable[[bytes], object]) -> None:
    """Saves checkpoint after checkpoint, and says of each, once it is saved, which it was."""
    while True:
        step = 1 + max((int(path.stem[5:]) for path in folder.glob("step-*")), default=-1)
        content = {"x": torch.full((_ELEMENTS,), float(step))}
        if suffix == ".pt":  # one file, replaced
            step = 1 + (adamas.load(folder / "step-0.pt").step if (folder / "step-0.pt").exists() else -1)
            content["x"].fill_(step)
            adamas.save(folder / "step-0.pt", extra=content, step=step)
        else:
            adamas.save(folder, extra=content, step=step, keep=KEEP)
        report(step.to_bytes(8, "little"))


def kill_once(folder: Path, suffix: str, chance: random.Random) -> int:
    """Starts a saver, kills it at a random moment of one of its next saves; returns the last step it reported."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        save_for_ever(folder, suffix, lambda data: os.write(writing, data))
        os._exit(1)
    os.close(writing)
    last, start = os.read(reading, 8), time.perf_counter()
    second = os.read(reading, 8)
    time.sleep(chance.uniform(0, 2) * (time.perf_counter() - start))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    last = second or last
    while data := os.read(reading, 8):
        last = data
    os.close(reading)
    return int.from_bytes(last, "little")


def look(folder: Path, reported: int) -> dict[str, int | bool]:
    """Loads all that is there, as the next run would."""
    steps = []
    for path in sorted(folder.glob("step-*")):
        found = adamas.load(path)
        if not bool((found.extra["x"] == found.step).all()):
            raise RuntimeError(f"{path} has not what was saved as step {found.step}")
        steps.append(found.step)
    drafts = len(list(folder.glob(".*.draft")))
    return {"reported": reported, "newest": max(steps), "kept": len(steps), "drafts": drafts}


def main(folder: Path) -> None:
    chance, seen = random.Random(0), {}
    for suffix in SUFFIXES:
        place = folder / suffix[1:]
        seen[suffix] = [look(place, kill_once(place, suffix, chance)) for _ in range(KILLS)]
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
