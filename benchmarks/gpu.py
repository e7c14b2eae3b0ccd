"""Times steps on a GPU beside torch's own and those of 8-bit peers that are installed: AdamW, in turns, by its events.

    python benchmarks/gpu.py [--rounds 9] [--steps 10] [--models 0 2] [--without torchao] [--json FILE]

Three shapes of models: one large tensor, a thousand small ones, those of GPT-2 (124 M). A turn is ``--steps`` steps
with gradients that stay. ``limit`` is what a copy of 1 GiB reaches on this device: bytes read and written in a second;
``of limit`` is the share of it that weights, gradients and state account for, read and written once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

Step = Callable[[], Any]


def gpt2() -> list[tuple[int, ...]]:
    """Return the shapes of GPT-2's smallest model."""
    width = 768
    layer = [(width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,), (width,), (width,)]
    layer += [(4 * width, width), (4 * width,), (width, 4 * width), (width,)]
    return [(50257, width), (1024, width), *(12 * layer), (width,), (width,)]


MODELS: dict[str, list[tuple[int, ...]]] = {
    "one tensor of 134 M": [(32768, 4096)],
    "1000 of 64 x 64": 1000 * [(64, 64)],
    "GPT-2, 148 tensors": gpt2(),
}
ALL = {"lr": 1e-3, "weight_decay": 0.01}
TORCH, OURS, FLASH = "torch.optim:AdamW", "adamas:AdamW", "flashoptim:FlashAdamW"
CONTENDERS: dict[str, tuple[torch.dtype, str, dict[str, Any]]] = {
    "torch fused": (torch.float32, TORCH, {"fused": True}),
    "torch foreach": (torch.float32, TORCH, {"foreach": True}),
    "adamas": (torch.float32, OURS, {}),
    "adamas int8": (torch.float32, OURS, {"state_format": "int8"}),
    "adamas int4": (torch.float32, OURS, {"state_format": "int4"}),
    "bitsandbytes 8-bit": (torch.float32, "bitsandbytes.optim:AdamW8bit", {}),
    "torchao 8-bit": (torch.float32, "torchao.optim:AdamW8bit", {}),
    "FlashOptim 8-bit": (torch.float32, FLASH, {"master_weight_bits": None}),
    "torch fused bfloat16": (torch.bfloat16, TORCH, {"fused": True}),
    "adamas bfloat16 stochastic": (torch.bfloat16, OURS, {}),
    "adamas bfloat16 int8": (torch.bfloat16, OURS, {"state_format": "int8"}),
    "adamas split24 int8": (torch.bfloat16, OURS, {"state_format": "int8", "rounding": "split24"}),
    "FlashOptim 24 bits, 8-bit": (torch.bfloat16, FLASH, {}),
    "torch fused graph": (torch.float32, TORCH, {"fused": True, "capturable": True}),
    "adamas graph": (torch.float32, OURS, {"capturable": True}),
}


def found(path: str) -> Any:
    """Return an optimizer's class; None if its package is not installed."""
    package, name = path.split(":")
    if importlib.util.find_spec(package.split(".")[0]) is None:
        return None
    return getattr(importlib.import_module(package), name)


def made(shapes: list[tuple[int, ...]], name: str) -> tuple[Step, int, int]:
    """Return a step, the bytes that it must move, and those of its state."""
    dtype, path, options = CONTENDERS[name]
    make = found(path)
    params = [torch.nn.Parameter(torch.randn(shape, device="cuda").to(dtype)) for shape in shapes]
    for p in params:
        p.grad = (0.01 * torch.randn(p.shape, device="cuda")).to(dtype)
    optimizer = make(params, **ALL, **options)
    before = torch.cuda.memory_allocated()
    optimizer.step()
    state = torch.cuda.memory_allocated() - before
    weights = sum(p.numel() * p.element_size() for p in params)
    step = captured(optimizer) if options.get("capturable") else optimizer.step
    return step, 3 * weights + 2 * state, state


def captured(optimizer: torch.optim.Optimizer) -> Step:
    """Return a replay of a step."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()

    def replay() -> None:
        assert optimizer.state  # a graph does not hold what it writes to: without this another could get that memory
        graph.replay()

    return replay


def milliseconds(step: Step, steps: int) -> float:
    """Return the time of a step."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(steps):
        step()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / steps


def limit() -> float:
    """Return how many bytes a copy moves in a millisecond."""
    a = torch.randn(1 << 28, device="cuda")
    b = torch.empty_like(a)
    times = [milliseconds(lambda: b.copy_(a), 5) for _ in range(10)]
    return 2 * a.numel() * 4 / min(times)


def compare(model: str, given: argparse.Namespace, most: float) -> list[dict[str, Any]]:
    """Time all contenders on a model, in turns."""
    wanted = {name: path for name, (_, path, _) in CONTENDERS.items() if path.split(".")[0] not in given.without}
    ready = {name: made(MODELS[model], name) for name, path in wanted.items() if found(path)}
    for step, *_ in ready.values():
        milliseconds(step, 3)
    times: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(given.rounds):
        for name, (step, *_) in ready.items():
            times[name].append(milliseconds(step, given.steps))
    results = []
    for name, (_, moved, state) in ready.items():
        base = times["torch fused" if CONTENDERS[name][0] == torch.float32 else "torch fused bfloat16"]
        numbers = sum(torch.Size(shape).numel() for shape in MODELS[model])
        results.append(
            {
                "model": model,
                "name": name,
                "fastest_ms": min(times[name]),
                "median_ms": median(times[name]),
                "ratio": median(base) / median(times[name]),
                "of_limit": moved / median(times[name]) / most,
                "state_bytes": state / numbers,
            }
        )
    return results


def main() -> None:
    """Time all models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--models", type=int, nargs="*", default=range(len(MODELS)), help="which of the three")
    parser.add_argument("--without", nargs="*", default=[], help="packages to leave out")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    most = limit()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; limit {most / 1e9:.2f} TB/s")
    results = []
    for model in (list(MODELS)[number] for number in given.models):
        print(f"\n{model:28}  fastest   median  torch / it  of limit  state, bytes a weight")
        for each in compare(model, given, most):
            results.append(each)
            line = f"{each['name']:28} {each['fastest_ms']:8.3f} {each['median_ms']:8.3f} {each['ratio']:8.2f}"
            print(f"{line} {100 * each['of_limit']:10.0f} % {each['state_bytes']:10.2f}", flush=True)
        torch.cuda.empty_cache()
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
