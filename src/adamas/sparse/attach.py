"""Hooks that catch up the rows of an embedding before they are read."""

from __future__ import annotations

from typing import Any

import torch


class Attachment:
    """The hooks of one ``optimizer.attach(model)``.

    Args:
        optimizer: catches rows up.
        model: the module with the embeddings.
    """

    def __init__(self, optimizer: Any, model: torch.nn.Module) -> None:
        self._optimizer = optimizer
        own = {p for group in optimizer.param_groups for p in group["params"]}
        modules = [each for each in model.modules() if is_sparse_embedding(each) and each.weight in own]
        if not modules:
            raise ValueError(
                "attach() found no nn.Embedding or nn.EmbeddingBag with sparse=True whose weight is in this optimizer: "
                "give it the model that has them, and the optimizer their parameters"
            )
        self._hooks = [each.register_forward_pre_hook(self._read, with_kwargs=True) for each in modules]
        self._hooks.append(model.register_state_dict_pre_hook(self._save))

    def remove(self) -> None:
        """Take the hooks off, and catch up all rows."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._optimizer.flush()

    def _read(self, module: torch.nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        rows = arguments[0] if arguments else named["input"]
        self._optimizer.catch_up(module.weight, rows)

    def _save(self, *_: Any) -> None:
        self._optimizer.flush()


def is_sparse_embedding(module: torch.nn.Module) -> bool:
    """Say whether a module's weight gets sparse gradients."""
    return isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag)) and module.sparse
