"""Jobs that several processes do together: ``python -m tests.ranks`` is a server that forks them.

It imports torch once, and every job gets fresh processes with a gloo group of their own (a file for a meeting place: no
port can be taken). Each has one thread, a timeout on what it waits for, and an alarm that ends it whatever happens.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WAIT = 100.0  # seconds that a process waits for another one
LIMIT = 300  # seconds of a job


class Ranks:
    """The server, from the side of a test."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def each(self, size: int, job: Callable[..., Any], **arguments: Any) -> list[Any]:
        """Return what ``job(**arguments)`` returned in each of ``size`` processes; fail with the error of the first.

        Job, arguments and results go as JSON; the job is a function of a module that can be imported.
        """
        outcomes = self.outcomes(size, job, **arguments)
        wrong = [
            f"process {rank} of {size}: {outcome.get('error', outcome)}"
            for rank, outcome in enumerate(outcomes)
            if "value" not in outcome
        ]
        assert not wrong, "\n".join(wrong)
        return [outcome["value"] for outcome in outcomes]

    def outcomes(
        self, size: int, job: Callable[..., Any], wait: float = WAIT, **arguments: Any
    ) -> list[dict[str, Any]]:
        """Return for each process ``value``, ``error`` or, if it was killed, the ``signal``.

        ``wait`` is how many seconds they wait for each other.
        """
        if self._server is None or self._server.poll() is not None:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.ranks"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        order = {"size": size, "job": [job.__module__, job.__name__], "arguments": arguments, "wait": wait}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the server of processes died"
        return json.loads(answer)

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            for pipe in (self._server.stdin, self._server.stdout):
                if pipe is not None:
                    pipe.close()
            self._server.wait()


def _work(order: dict[str, Any], rank: int, folder: str) -> None:
    """Do a job in a forked process, leave what came of it in a file."""
    signal.alarm(LIMIT)
    os.dup2(2, 1)  # nothing but answers may come out of the server's stdout
    import torch.distributed as dist

    outcome: dict[str, Any]
    try:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder}/meeting",
            rank=rank,
            world_size=order["size"],
            timeout=timedelta(seconds=order["wait"]),
        )
        module, name = order["job"]
        outcome = {"value": getattr(importlib.import_module(module), name)(**order["arguments"])}
    except BaseException as error:  # what torch.distributed.checkpoint raises is no Exception
        outcome = {"error": traceback.format_exc(), "kind": type(error).__name__, "said": str(error)}
    (Path(folder) / f"{rank}.json").write_text(json.dumps(outcome), encoding="utf-8")


def _serve(order: dict[str, Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        children = {}
        for rank in range(order["size"]):
            pid = os.fork()
            if pid == 0:
                try:
                    _work(order, rank, folder)
                finally:
                    os._exit(0)  # without waiting for anybody
            children[pid] = rank
        outcomes: list[dict[str, Any]] = [{} for _ in children]
        while children:
            pid, status = os.wait()
            rank = children.pop(pid)
            left = Path(folder) / f"{rank}.json"
            if os.WIFSIGNALED(status):
                outcomes[rank] = {"signal": os.WTERMSIG(status)}
            else:
                outcomes[rank] = json.loads(left.read_text(encoding="utf-8")) if left.exists() else {"error": "no word"}
        return outcomes


def _main() -> None:
    import torch
    import torch._dynamo  # fully_shard does: half a second in every process
    import torch.distributed.checkpoint.state_dict
    import torch.distributed.fsdp
    import torch.distributed.tensor.parallel

    import adamas

    assert adamas
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line))), flush=True)


if __name__ == "__main__":
    _main()
