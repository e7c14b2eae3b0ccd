"""Checkpoints of a run whose weights are sharded: each process gives its pieces, and the first keeps them in one file.

Pieces are kept as they are cut, so that a run goes on with as many processes as its spec says, which is all it can.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

from adamas.lab.checkpoint import Checkpoint, progress, wind

if TYPE_CHECKING:
    from adamas.lab.train import Training

_PIECE = "piece"


def first_says(answer: bool, device: torch.device) -> bool:
    """What the first process answers, in all of them."""
    said = torch.tensor(float(answer), device=device)
    distributed.broadcast(said, 0)
    return bool(said)


class Pieces(Checkpoint):
    """The file of one sharded run under way; every process has one, and calls the same methods in the same order.

    Args:
        path: the file.
        device: where tensors of this process are.
    """

    def __init__(self, path: Path | None, device: torch.device):
        super().__init__(path)
        self._device, self._rank = device, distributed.get_rank()

    def due(self) -> bool:
        """Whether the last checkpoint is some seconds old, by the clock of the first process."""
        return self._keeps and first_says(super().due(), self._device)

    def keep(self, content: bytes) -> None:
        """Writes the file, in the first process."""
        if self._rank == 0:
            super().keep(content)

    def state(self, training: "Training") -> dict[str, Any]:
        """Everything that the rest of the training depends on, in the first process; in the others, no pieces."""
        own = {"model": _cut(training.model.state_dict()), "optimizer": _cut(_inner(training).state_dict())}
        pieces: list[Any] | None = [None] * distributed.get_world_size() if self._rank == 0 else None
        distributed.gather_object(own, pieces)
        return {**progress(training), "pieces": pieces}

    def resume(self, training: "Training", state: dict[str, Any]) -> None:
        """Puts this process of a fresh training where `state` was taken."""
        own, optimizer = state["pieces"][self._rank], _inner(training)
        like = training.model.state_dict()
        training.model.load_state_dict({name: _put_together(value, like[name]) for name, value in own["model"].items()})
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        states = {
            number: {key: _put_together(value, parameters[number]) for key, value in each.items()}
            for number, each in own["optimizer"]["state"].items()
        }
        optimizer.load_state_dict({**own["optimizer"], "state": states})
        wind(training, state)


def _inner(training: "Training") -> torch.optim.Optimizer:
    """The optimizer itself: Fabric's wrapper would gather its state in a way of its own."""
    return getattr(training.optimizer, "optimizer", training.optimizer)


def _cut(value: Any) -> Any:
    """The same with, for every sharded tensor, what this process has of it."""
    if isinstance(value, DTensor):
        return {_PIECE: value.to_local().detach().cpu(), "shape": list(value.shape), "stride": list(value.stride())}
    if isinstance(value, Mapping):
        return {key: _cut(each) for key, each in value.items()}
    return value


def _put_together(value: Any, like: Tensor) -> Any:
    """A sharded tensor of its pieces, cut like another one; anything else as it is."""
    if not isinstance(value, dict) or _PIECE not in value:
        return value
    assert isinstance(like, DTensor)
    local = value[_PIECE].to(like.device)
    shape, stride = torch.Size(value["shape"]), tuple(value["stride"])
    return DTensor.from_local(local, like.device_mesh, like.placements, run_check=False, shape=shape, stride=stride)
