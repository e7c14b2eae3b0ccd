"""Times steps of 400 parameters that FSDP2 has cut, beside steps of 400 plain ones: what DTensors cost in Python.

    python benchmarks/fsdp.py [--side 16] [--rounds 15]

One process (a mesh of one), one thread: the same numbers are stepped on both sides, all that differs is how a step
finds them. Gradients come out of backward, so they are what FSDP2 makes. Contenders take turns, 20 steps each; the
ratio is that of the medians. torch's AdamW on the same DTensors is shown for comparison.
"""

import argparse
import tempfile
import time
from statistics import median

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import adamas

LAYERS, STEPS, BAR = 200, 20, 1.2


def model(side: int, cut: bool) -> nn.Module:
    """Return layers with a weight and a bias each, with gradients."""
    torch.manual_seed(0)
    layers = nn.Sequential(*(nn.Linear(side, side) for _ in range(LAYERS)))
    if cut:
        mesh = init_device_mesh("cpu", (1,))
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(layers, mesh=mesh)
    layers(torch.ones(2, side)).sum().backward()
    return layers


def timed(optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """Return the seconds of each step."""
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=16, help="of the square weights")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0, world_size=1)
        contenders = {
            "adamas, plain": adamas.AdamW(model(chosen.side, cut=False).parameters()),
            "adamas, FSDP2": adamas.AdamW(model(chosen.side, cut=True).parameters()),
            "torch, FSDP2": torch.optim.AdamW(model(chosen.side, cut=True).parameters()),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(chosen.rounds + 1):
            for name, optimizer in contenders.items():
                found = timed(optimizer, 2 if name.startswith("torch") else STEPS)
                times[name] += found if turn else []
        torch.distributed.destroy_process_group()
    base = median(times["adamas, plain"])
    print(f"{2 * LAYERS} parameters, weights of {chosen.side} x {chosen.side}, one thread")
    for name, found in times.items():
        middle = median(found)
        print(f"{name:14} {1e3 * middle:8.3f} ms  fastest {1e3 * min(found):8.3f}  ratio {middle / base:6.2f}")
    ratio = median(times["adamas, FSDP2"]) / base
    print(f"FSDP2 over plain: {ratio:.2f}, bar {BAR}: {'met' if ratio <= BAR else 'not met'}")


if __name__ == "__main__":
    main()
