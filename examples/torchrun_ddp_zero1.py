"""A small GPT on text of this machine, whole in every process (DDP), its moments shared out (ZeRO-1).

    torchrun --nproc-per-node 2 examples/torchrun_ddp_zero1.py --steps 40 --folder /tmp/gpt
    torchrun --nproc-per-node 4 examples/torchrun_ddp_zero1.py --steps 80 --folder /tmp/gpt

The second command goes on where the first one stopped. Needs `pip install 'adamas[lab]'` for the model and its text.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.nn.parallel import DistributedDataParallel

import adamas
from adamas.lab.workloads import load

EVERY = 20  # steps between checkpoints


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--format", default="int8", help="of moments")
    chosen = parser.parse_args()
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    device = f"cuda:{rank % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    workload = load("chargpt")
    torch.manual_seed(0)
    model = workload.model().to(device)
    replica = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = adamas.distributed.ZeRO1(
        adamas.AdamW, model.named_parameters(), lr=3e-3, state_format=chosen.format, clip_norm=1.0, nonfinite="skip"
    )

    first = max((int(each.parent.name) for each in chosen.folder.glob("*/.metadata")), default=0)
    if first:
        weights, moments = get_state_dict(model, optimizer)
        dcp.load({"model": weights, "optimizer": moments}, checkpoint_id=chosen.folder / str(first))
        set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)

    text = workload.data().train[0]
    with adamas.distributed.together():
        for step in range(first, chosen.steps):
            drawn = torch.randint(len(text), (32,), generator=torch.Generator().manual_seed(step))
            loss = workload.loss(replica, (text[drawn[rank::size]].to(device),))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if rank == 0 and (step + 1) % 10 == 0:
                print(f"step {step + 1}: {loss.item():.3f} bits a character", flush=True)
            if (step + 1) % EVERY == 0:
                weights, moments = get_state_dict(model, optimizer)
                dcp.save({"model": weights, "optimizer": moments}, checkpoint_id=chosen.folder / str(step + 1))
    if rank == 0:
        print(
            f"{size} processes from step {first}; state of this one: {adamas.memory_report(optimizer).now.states} bytes"
        )
    dist.barrier()  # a group is taken down when all are done with it
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
