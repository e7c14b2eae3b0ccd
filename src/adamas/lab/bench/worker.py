"""The child process: one contender, its tensors and its clock.

It reads one JSON request a line from stdin and answers each with one JSON line, until stdin ends:

    {"do": "setup", ...job}                          -> what was built (see `contender` and `memory`)
    {"do": "warmup", "kernel": "step"}               -> {"seconds": fastest call}
    {"do": "chunk", "kernel": "step", "calls": 4}    -> {"seconds": all calls}

Anything that goes wrong is answered with `{"error": "..."}` and ends the process. What the optimizer's own
library prints goes to stderr, so that it can't get between the answers.
"""

import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module, metadata
from itertools import cycle
from typing import Any, TextIO

KINDS = 8  # sparse gradients that take turns

Kernels = dict[str, Callable[[], Any]]


def contender(job: dict[str, Any]) -> tuple[Kernels, dict[str, Any]]:
    """Build the tensors and the optimizer of `job`, take the first step, and describe both."""
    import torch

    dtype = getattr(torch, job["dtype"])
    generator = torch.Generator().manual_seed(0)

    def normal(shape: list[int], scale: float) -> torch.Tensor:
        return torch.randn(shape, generator=generator).mul_(scale).to(dtype)

    parameters = [torch.nn.Parameter(normal(shape, 0.1)) for shape in job["shapes"]]
    grads = [[normal(list(p.shape), 0.01)] for p in parameters]
    if job["touched"]:
        grads = [[rows_of(p, normal, job["touched"]) for _ in range(KINDS)] for p in parameters]
    for parameter, (first, *_) in zip(parameters, grads, strict=True):
        parameter.grad = first
    groups = parameters
    if job["group_per_tensor"]:  # its own lr each, as layer-wise decay gives, so that groups can't be merged
        lr = job["options"]["lr"]
        groups = [{"params": [p], "lr": lr * 0.99**i} for i, p in enumerate(parameters)]
    module, _, attribute = job["target"].partition(":")
    optimizer = getattr(import_module(module), attribute)(groups, **job["options"])
    if callable(getattr(optimizer, "train", None)):  # schedulefree steps in its training mode only
        optimizer.train()
    optimizer.step()  # allocates the state
    taken = traffic(parameters, optimizer.state)
    return {"step": timed(job, optimizer, parameters, grads)}, {
        "traffic": {**taken, "grad": taken["grad"] * job["grad_reads"]},
        "engine": engine(optimizer),
        "version": version(module.partition(".")[0]),
    }


def rows_of(parameter: Any, normal: Callable[[list[int], float], Any], touched: int) -> Any:
    """Return a gradient of some rows, each once and in any order, as `nn.Embedding` makes it: not coalesced."""
    import torch

    height, width = parameter.shape
    rows = torch.randperm(height)[:touched]
    return torch.sparse_coo_tensor(
        rows[None], normal([len(rows), width], 0.01), (height, width), check_invariants=False
    )


def timed(job: dict[str, Any], optimizer: Any, parameters: list[Any], grads: list[list[Any]]) -> Callable[[], Any]:
    """Return what is timed: the step, with what the job wants before and after it; gradients take turns."""
    clip, zero = job["clip_grad_norm"], job["zero_grad"]
    if clip is None and not zero and not job["touched"]:
        return optimizer.step
    from torch.nn.utils import clip_grad_norm_

    turns = cycle(zip(*grads, strict=True))

    def call() -> None:
        for parameter, grad in zip(parameters, next(turns), strict=True):
            parameter.grad = grad
        if clip is not None:
            clip_grad_norm_(parameters, clip)
        optimizer.step()
        if zero:
            optimizer.zero_grad()

    return call


def memory(job: dict[str, Any]) -> tuple[Kernels, dict[str, Any]]:
    """Allocate the arrays of the memory limit and describe what torch makes of this machine."""
    import torch

    elements = job["array_bytes"] // 4
    a, b, c = (torch.full((elements,), value) for value in (1.0, 1e-6, 0.0))
    kernels = {
        "copy": lambda: c.copy_(a),
        "triad": lambda: torch.add(a, b, alpha=0.5, out=c),
        "triad in place": lambda: a.add_(b, alpha=0.5),
    }
    return kernels, {
        "elements": elements,
        "torch": torch.__version__,
        "torch_isa": torch.backends.cpu.get_cpu_capability(),
        "torch_threads": torch.get_num_threads(),
    }


def traffic(parameters: list[Any], state: Any) -> dict[str, float]:
    """Count the bytes a parameter that weights, gradients and state take; and which share of parameters is touched."""
    count = sum(p.numel() for p in parameters)
    grads = [p.grad._values() if p.grad.is_sparse else p.grad for p in parameters]
    touched = sum(grad.numel() for grad in grads)
    return {
        "param": sum(stored(p) for p in parameters) / count,
        "grad": sum(stored(grad) for grad in grads) / touched,
        "state": sum(stored(value) for value in state.values()) / count,
        "share": touched / count,
    }


def stored(value: Any) -> int:
    """Count the bytes of every tensor inside `value`, without scalars such as `step`.

    Example:
        >>> import torch
        >>> stored({"step": torch.tensor(1.0), "exp_avg": torch.zeros(10), "codes": [torch.zeros(3).byte()]})
        43
    """
    if isinstance(value, dict):
        return sum(stored(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return sum(stored(item) for item in value)
    if hasattr(value, "__tensor_flatten__"):  # a tensor subclass that wraps others (torchao)
        return sum(stored(getattr(value, name)) for name in value.__tensor_flatten__()[0])
    if hasattr(value, "element_size") and value.numel() > 1:
        return value.numel() * value.element_size()
    return 0


def engine(optimizer: Any) -> str | None:
    """Say which of our engines steps, and with which instruction set; None for anyone else's optimizer."""
    import adamas
    from adamas.engines import library
    from adamas.engines.select import wanted_engine

    if not isinstance(optimizer, adamas.Optimizer):
        return None
    wanted = wanted_engine(optimizer.defaults["engine"])
    isa = None if wanted == "reference" else library.isa()
    return f"cpu, {isa}" if isa else "reference"


def version(package: str) -> str | None:
    """Ask for the installed version of a package, however it was installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", None)


def warm_up(call: Callable[[], Any], budget: float) -> float:
    """Call until caches, compilers and sleeping threads no longer matter; return the fastest call."""
    call()
    fastest, start, calls = math.inf, time.perf_counter(), 0
    while calls < 1 or (time.perf_counter() - start < budget and calls < 1000):
        before = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - before)
        calls += 1
    return fastest


def chunk(call: Callable[[], Any], calls: int, lead: int) -> float:
    """Time `calls` calls in one go, after `lead` calls that wake the threads and refill the caches."""
    for _ in range(lead):
        call()
    gc.disable()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds


def settle(window: float = 0.005, longest: float = 0.5) -> None:
    """Wait until this process burns no more CPU, so that it can't slow down the next contender.

    An OpenMP thread without work spins before it sleeps (10 ms with the libgomp in torch's wheel).
    Making it sleep at once (`OMP_WAIT_POLICY=PASSIVE`) would cost every step a wake-up for each parallel
    loop: it slowed torch's fused step over 1000 small tensors sixfold on a virtual machine, and would flatter
    whoever opens fewer parallel loops. So everyone keeps the default and is waited for.
    """
    end = time.monotonic() + longest
    while time.monotonic() < end:
        before = time.process_time()
        time.sleep(window)
        if time.process_time() - before < 0.1 * window:
            return


def serve(requests: TextIO, replies: TextIO) -> None:
    """Answer requests until there are no more."""
    kernels: Kernels = {}
    for line in requests:
        request = json.loads(line)
        reply: dict[str, Any]
        if request["do"] == "setup":
            kernels, reply = {"contender": contender, "memory": memory}[request["kind"]](request)
            gc.freeze()
        elif request["do"] == "warmup":
            reply = {"seconds": warm_up(kernels[request["kernel"]], request["budget"])}
        else:
            reply = {"seconds": chunk(kernels[request["kernel"]], request["calls"], request["lead"])}
        settle()
        print(json.dumps(reply), file=replies, flush=True)


def main() -> int:
    """Serve the parent over stdin and what was stdout when the process began."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        serve(sys.stdin, replies)
    except Exception as error:
        reason = " ".join(str(error).split())
        print(json.dumps({"error": f"{type(error).__name__}: {reason}"}), file=replies, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
