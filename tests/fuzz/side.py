"""One of the optimizers that the state machine leads: on one engine, with tensors of its own."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import torch

import adamas
from adamas.release import Release


class Holder(torch.nn.Module):
    """The parameters as a module, which is what `release` and `save` want."""

    def __init__(self, params: list[torch.Tensor]) -> None:
        super().__init__()
        for i, p in enumerate(params):
            self.register_parameter(f"p{i}", p)  # type: ignore[arg-type]


class Side:
    """An optimizer of one engine, and what was kept of it.

    Args:
        kind: the name of its class.
        engine: the engine.
        groups: hyper-parameters with "params".
        **options: of the constructor.
    """

    def __init__(self, kind: str, engine: str, groups: list[dict[str, Any]], **options: Any) -> None:
        self.optimizer: adamas.Optimizer = getattr(adamas, kind)(groups, engine=engine, **options)
        self.handle: Release | None = None
        self.saved: Any = None

    @property
    def params(self) -> list[torch.Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def step(self, gradients: list[torch.Tensor | None] | None) -> None:
        """Step; with released gradients, these come from backward."""
        if self.handle is None:
            self.optimizer.step()
            return
        assert gradients is not None
        losses = [(p * g).sum().double() for p, g in zip(self.params, gradients, strict=True) if g is not None]
        if losses:
            torch.stack(losses).sum().backward()
        self.optimizer.step()

    def save(self) -> None:
        self.saved = copy.deepcopy(self.optimizer.state_dict())

    def load(self, hyperparameters: str) -> None:
        self.optimizer.load_state_dict(self.saved, hyperparameters=hyperparameters)

    def through_a_file(self, folder: Path) -> None:
        """Save all to a file, spoil it, and load it again."""
        holder = Holder(self.params)
        adamas.save(folder / "all.safetensors", holder, self.optimizer, step=0)
        with torch.no_grad():
            for p in self.params:
                p.zero_()
        adamas.load(folder / "all.safetensors", holder, self.optimizer, rng=False)

    def through_a_copy(self, by_pickle: bool) -> None:
        """Go on with a copy of parameters and optimizer."""
        params = self.params
        grads = [p.grad for p in params]  # deepcopy takes them along, pickle does not
        pair = (params, self.optimizer)
        params, self.optimizer = pickle.loads(pickle.dumps(pair)) if by_pickle else copy.deepcopy(pair)
        for p, grad in zip(params, grads, strict=True):
            p.grad = grad

    def release(self) -> None:
        self.handle = self.optimizer.release(Holder(self.params))

    def remove(self) -> None:
        assert self.handle is not None
        self.handle.remove()
        self.handle = None
