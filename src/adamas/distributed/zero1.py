"""ZeRO-1: every process has all weights, but the moments of its share of them only, and steps no more than that.

Source: Rajbhandari et al. 2020, "ZeRO: memory optimizations toward training trillion parameter models", arXiv
1910.02054, section 5.1 (P_os).
"""

from __future__ import annotations

from typing import Any

import torch

from adamas.distributed.gathering import Gathering
from adamas.optimizer import Optimizer
from adamas.shards import Cut, is_sharded

_BUCKET = 2**25  # bytes of weights: long enough for the network, short beside the whole


class Shares:
    """Which share of every parameter this process steps: its part of the rows, as FSDP2 would cut them.

    Args:
        group: the processes, or None for all.
        bucket: bytes of weights that are sent together.
    """

    def __init__(self, group: Any, bucket: int) -> None:
        self._group, self._bucket, self._bytes = group, bucket, 0
        self._mesh: Any = None
        self._cuts: dict[torch.Tensor, Cut | None] = {}

    def of(self, p: torch.Tensor) -> Cut | None:
        """Return the share of a parameter; None for a single number, which all processes step alike.

        Raises:
            ValueError: for a DTensor.
        """
        if p not in self._cuts:
            if is_sharded(p):
                raise ValueError(
                    "ZeRO1 is for parameters that every process has whole, as under DistributedDataParallel; this one "
                    "is a DTensor (FSDP2, tensor parallelism): its moments are shared out already, use the plain class"
                )
            self._cuts[p] = self._cut(p) if p.dim() else None
        return self._cuts[p]

    def _cut(self, p: torch.Tensor) -> Cut:
        from torch.distributed.device_mesh import DeviceMesh
        from torch.distributed.tensor import Shard
        from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

        if self._mesh is None:
            group = self._group or torch.distributed.distributed_c10d._get_default_group()
            self._mesh = DeviceMesh.from_group(group, p.device.type)
        number = self._bytes // self._bucket
        self._bytes += p.numel() * p.element_size()
        size, offset = compute_local_shape_and_global_offset(p.shape, self._mesh, (Shard(0),))
        return Cut(self._mesh, (Shard(0),), p.shape, tuple(offset), torch.Size(size), number)


def ZeRO1(  # noqa: N802  # reads as the class whose place it takes
    optimizer_class: type[Optimizer],
    params: Any,
    *,
    process_group: Any = None,
    bucket_bytes: int = _BUCKET,
    **choices: Any,
) -> Optimizer:
    """Make an optimizer whose moments are shared out between processes that all have the whole model.

    Each process steps its rows of every parameter and sends them to the others, bucket by bucket, while the next bucket
    is stepped. Weights are those of the optimizer alone in one process, to the bit (with ``clip_norm`` or
    ``clip_update``, whose sums are added in another order, to the rounding of a factor); moments in ``int8`` or
    ``int4`` are so for matrices, those of vectors are kept in ``float32``. It is an ordinary ``optimizer_class``
    otherwise: groups, schedulers, guards, hooks.

    ``state_dict()`` has moments as DTensors cut along their first dimension, as FSDP2's are: save it with
    ``torch.distributed.checkpoint``, which loads it again for any number of processes, for FSDP2, or for one. There is
    nothing to consolidate. A dict with whole tensors is loaded too: each process takes its share.

    Args:
        optimizer_class: `adamas.AdamW` or any other of them.
        params: as for that class; all processes give the same ones in the same order.
        process_group: the processes with copies of the model; None: all.
        bucket_bytes: how much of the weights is sent at a time, > 0. Two buckets are under way at most, each with a
            copy of what is sent.
        **choices: as for that class.

    Returns:
        The optimizer; ``step()`` must be called by all processes together.

    Raises:
        ValueError: for parameters that are cut already, or a ``bucket_bytes`` that is not positive.
        LostProcessError: from ``step()``, if another process is gone.

    Example:
        >>> import tempfile, torch, adamas
        >>> meeting = f"file://{tempfile.mkdtemp()}/meeting"
        >>> torch.distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = adamas.distributed.ZeRO1(adamas.AdamW, [w], lr=0.1, weight_decay=0.0)
        >>> w.grad = torch.tensor([1.0, -1.0])
        >>> optimizer.step()
        >>> [round(x, 6) for x in w.tolist()], type(optimizer.state[w]["exp_avg"]).__name__
        ([0.9, 1.1], 'DTensor')
        >>> torch.distributed.destroy_process_group()
    """
    if not bucket_bytes > 0:
        raise ValueError(f"bucket_bytes must be positive, got {bucket_bytes}")
    shares = Shares(process_group, bucket_bytes)
    optimizer = optimizer_class.__new__(optimizer_class, params, **choices)
    optimizer._how, optimizer._gathering = shares.of, Gathering()
    optimizer.__init__(params, **choices)
    for group in optimizer.param_groups:  # in the order of the parameters, whichever of them will have a gradient
        for p in group["params"]:
            shares.of(p)
    return optimizer
