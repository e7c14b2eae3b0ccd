"""Captures steps in real CUDA graphs and compares replays with steps that are not captured, and the reference's.

    python -m tests.triton.capture

Runs without ``TRITON_INTERPRET``, on a GPU. Replays have the bits of the same steps without a graph. Powers are rounded
otherwise there than on the host, so that the reference's numbers may differ in the last bit of float32, and int8's
codes where that is the last drop: these may differ a little. Exits with how many differ more. Prints what was compared.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

import adamas

OPTIMIZERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("AdamW", {}),
    ("AdamW", {"state_format": "int8"}),
    ("Adam", {"amsgrad": True, "clip_norm": 0.5, "nonfinite": "skip"}),
    ("NAdam", {}),
    ("RAdam", {}),
    ("Adamax", {}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
)
WARM, REPLAYS = 3, 5


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 300), torch.nn.Tanh(), torch.nn.Linear(300, 7)).cuda()


def batches() -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(16, 40, device="cuda") for _ in range(WARM + REPLAYS)]


def captured(name: str, kwargs: dict[str, Any], amp: torch.amp.GradScaler | None) -> list[torch.Tensor]:
    """Train by a graph that holds forward, backward and step, as torch's notes on CUDA graphs do."""
    net, lr, static = model(), torch.tensor(0.01, device="cuda"), torch.empty(16, 40, device="cuda")
    optimizer = getattr(adamas, name)(net.parameters(), lr=lr, capturable=True, **kwargs)
    rate = optimizer.param_groups[0]["lr"]
    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    for i, x in enumerate(batches()):
        rate.fill_(0.01 / (i + 1))
        static.copy_(x)
        if i < WARM:
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                optimizer.zero_grad(set_to_none=True)
                train(net, static, optimizer, amp)
            torch.cuda.current_stream().wait_stream(side)
            continue
        if i == WARM:
            optimizer.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph):
                train(net, static, optimizer, amp)
        graph.replay()
    torch.cuda.synchronize()
    return [p.detach() for p in net.parameters()]


def train(net: torch.nn.Module, x: torch.Tensor, optimizer: Any, amp: torch.amp.GradScaler | None) -> None:
    loss = net(x).square().mean()
    if amp is None:
        loss.backward()
        optimizer.step()
        return
    amp.scale(loss).backward()
    amp.step(optimizer)
    amp.update()


def stepped(name: str, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    net, capturable = model(), kwargs.get("capturable", False)
    optimizer = getattr(adamas, name)(
        net.parameters(), lr=torch.tensor(0.01, device="cuda") if capturable else 0.01, **kwargs
    )
    for i, x in enumerate(batches()):
        lr = 0.01 / (i + 1)
        optimizer.param_groups[0]["lr"] = torch.tensor(lr, device="cuda") if capturable else lr
        optimizer.zero_grad()
        train(net, x, optimizer, None)
    return [p.detach() for p in net.parameters()]


def differences(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> float:
    """Return the largest difference."""
    each = [(a - b).abs().max() for a, b in zip(ours, theirs, strict=True)]
    return torch.stack(each).max().item()  # NaN, if there is one: Python's max would lose it


def main() -> None:
    """Compare everything."""
    failed = 0
    for name, kwargs in OPTIMIZERS:
        for amp in (None, torch.amp.GradScaler("cuda", init_scale=2.0**8)):
            replayed = captured(name, kwargs, amp)
            alike = differences(replayed, stepped(name, {"capturable": True, **kwargs}))
            reference = differences(replayed, stepped(name, {"engine": "reference", **kwargs}))
            same = alike == 0.0 and reference < (2e-4 if "state_format" in kwargs else 1e-5)
            failed += not same
            against = f"{alike:.1e} from those without a graph, {reference:.1e} from the reference's"
            print(f"{'as stepped' if same else 'OTHERWISE'}: {name} {kwargs} {'scaled' if amp else 'plain'}: {against}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
