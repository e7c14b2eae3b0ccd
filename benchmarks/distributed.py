"""Checks the cost model of docs/distributed.md: what a process keeps and sends, as counted and as the model says.

    python benchmarks/distributed.py

Starts 2 and then 4 gloo processes on this machine, on one model, as plain DDP, DDP with ZeRO-1 and FSDP2. Sent bytes
are those that the kernel has seen acknowledged on the process's TCP connections (Linux), divided by the steps; memory
is that of the moments. The exit status is 1 if one is more than 10 % off.
"""

import os
import socket
import struct
import sys
import tempfile
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import adamas
from adamas.shards import local

WIDTH, LAYERS, STEPS = 256, 6, 4
WORDS = 4  # bytes of a weight, and of a gradient
MOMENTS = {"auto": 8.0, "int8": 2 * (1 + 4 / 128)}  # bytes a weight; vectors of int8 are in float32
_ACKED = 120  # where struct tcp_info has tcpi_bytes_acked
CLOSE = 0.1


def sent() -> int:
    """Return how many bytes this process has sent over TCP so far."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as one:
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            total += struct.unpack_from("<Q", info, _ACKED)[0]
        except OSError:  # no TCP, or closed meanwhile
            continue
    return total


def model_of_costs(kind: str, form: str, size: int, matrices: int, vectors: int) -> tuple[float, float]:
    """Return the bytes of state of a process, and those that it sends in a step."""
    weights = WORDS * (matrices + vectors)
    state = MOMENTS[form] * matrices + 8.0 * vectors
    if kind == "ddp":  # one has no pieces, and so blocks in vectors too
        state = MOMENTS[form] * (matrices + vectors)
    part = (size - 1) / size
    # A ring: all-reduce of gradients, 2; and with ZeRO-1 an all-gather of weights, 1. FSDP2: an all-gather of weights
    # forward and one backward, and a reduce-scatter of gradients, which is 1 with NCCL; gloo has none, and reduces all.
    rounds = {"ddp": 2, "zero1": 3, "fsdp2": 4}[kind]
    return state / (1 if kind == "ddp" else size), rounds * part * weights


def measure(rank: int, size: int, folder: str, told: Any) -> None:
    """Train in every way; rank 0 tells what it kept and sent."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/{size}", rank=rank, world_size=size)
    for kind in ("ddp", "zero1", "fsdp2"):
        for form in MOMENTS:
            torch.manual_seed(0)
            net: nn.Module = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))
            matrices, vectors = (sum(p.numel() for p in net.parameters() if p.dim() == d) for d in (2, 1))
            if kind == "fsdp2":
                mesh = init_device_mesh("cpu", (size,))
                for layer in net.children():
                    fully_shard(layer, mesh=mesh)
                fully_shard(net, mesh=mesh)
                optimizer = adamas.AdamW(net.parameters(), state_format=form)
            elif kind == "zero1":
                optimizer = adamas.distributed.ZeRO1(adamas.AdamW, net.parameters(), state_format=form)
            else:
                optimizer = adamas.AdamW(net.parameters(), state_format=form)
            run = net if kind == "fsdp2" else DistributedDataParallel(net)
            before = 0
            for step in range(2 + STEPS):
                if step == 2:  # DDP forms its buckets in the first steps
                    dist.barrier()
                    before = sent()
                run(torch.ones(8, WIDTH)).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
            dist.barrier()
            found = (sent() - before) / STEPS
            kept = sum(local(x).nbytes for s in optimizer.state.values() for k, x in s.items() if k != "step")
            if rank == 0:
                told.put((size, kind, form, kept, found, model_of_costs(kind, form, size, matrices, vectors)))
    dist.destroy_process_group()


def main() -> int:
    """Print the table; return 1 if the model is off."""
    context, off = torch.multiprocessing.get_context("spawn"), 0
    print("processes  kind   moments  state kept (model, ratio)            sent a step (model, ratio)")
    for size in (2, 4):
        told = context.SimpleQueue()
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(measure, (size, folder, told), nprocs=size)
        while not told.empty():
            size, kind, form, kept, found, (state, wire) = told.get()
            ratios = kept / state, found / wire
            off += any(abs(ratio - 1) > CLOSE for ratio in ratios)
            print(
                f"{size:9}  {kind:6} {form:7} {kept:10,} ({state:12,.0f}, {ratios[0]:.3f})"
                f"  {found:12,.0f} ({wire:12,.0f}, {ratios[1]:.3f})"
            )
    print(f"{off} of the rows are more than {CLOSE:.0%} off")
    return int(off > 0)


if __name__ == "__main__":
    sys.exit(main())
