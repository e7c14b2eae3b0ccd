"""The parent's end of the pipe to one worker: start it, ask it, notice when it dies."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import Any

COMMAND = (sys.executable, "-m", "adamas.lab.bench.worker")


class ContenderError(Exception):
    """A contender that could not be built, or whose process died; the message names it in one line."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def environment(threads: int | None) -> dict[str, str]:
    """Say which environment a worker gets: this one's, with the same OpenMP settings for all.

    Settings of how idle threads wait are removed: with `OMP_WAIT_POLICY=ACTIVE` the idle contenders would
    take the cores from the one that is timed, and `PASSIVE` slows down some of them much more than others
    (see `worker.settle`).
    """
    waits = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    kept = {key: value for key, value in os.environ.items() if key not in waits}
    if threads is not None:
        kept |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return kept


class Child:
    """One worker process.

    Args:
        name: of the contender, for messages.
        job: what to set up; the setup begins at once, `ready` waits for it.
        threads: OpenMP threads of the worker, or None for torch's default.
        command: what to run, for tests.
    """

    def __init__(
        self,
        name: str,
        job: dict[str, Any],
        threads: int | None = None,
        command: tuple[str, ...] = COMMAND,
    ):
        self.name = name
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(threads),
            start_new_session=True,  # so that Ctrl-C reaches the parent only, which then shows what there is
        )
        self._send({"do": "setup", **job})

    def ready(self) -> dict[str, Any]:
        """Wait for the setup and return what the worker says of it."""
        return self._receive()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            ContenderError: the worker reported an error or is gone.
        """
        self._send(request)
        return self._receive()

    def close(self) -> None:
        """End the process and let its memory go."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # the last request was still in the pipe
                    continue

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            return  # the process is gone; `_receive` says why

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ContenderError(self.name, self._obituary())
        reply = json.loads(line)
        if "error" in reply:
            raise ContenderError(self.name, reply["error"])
        return reply

    def _obituary(self) -> str:
        """Say in one line how the process ended."""
        code = self._process.wait()
        if code < 0:
            how = f"its process was killed by {signal.Signals(-code).name}"
            how += " (out of memory?)" if -code == signal.SIGKILL else ""
        else:
            how = f"its process ended with code {code}"
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return f"{how}; its last words: {lines[-1]}" if lines else how
