"""What goes into a file: nested dicts, lists and tuples of tensors and plain values, and nothing that runs code."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import torch

_PLAIN = (bool, int, float, str)  # torch.load(weights_only=True) reads no bytes
_DICTS: dict[str, type] = {"dict": dict, "ordered": OrderedDict, "counter": Counter}
_LISTS: dict[str, type] = {"list": list, "tuple": tuple}


def plain(value: Any, where: str) -> Any:
    """Return a tree as plain types and detached tensors, so that ``torch.load(weights_only=True)`` reads it.

    Args:
        value: the tree.
        where: its place, for errors: ``scheduler``.

    Raises:
        TypeError: for what is neither; its place in the tree is named.

    Example:
        >>> plain({"lr": 0.5, "betas": (0.9, 0.99)}, "optimizer")
        {'lr': 0.5, 'betas': (0.9, 0.99)}
        >>> plain({"anneal": len}, "scheduler")
        Traceback (most recent call last):
        ...
        TypeError: scheduler/anneal is a builtin_function_or_method: ...
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, torch.Tensor):
        return _plain_tensor(value, where)
    if isinstance(value, dict):
        kind = next((cls for cls in (Counter, OrderedDict) if isinstance(value, cls)), dict)
        return kind({plain(key, where): plain(each, f"{where}/{key}") for key, each in value.items()})
    if isinstance(value, (list, tuple)):
        kind = tuple if isinstance(value, tuple) else list
        return kind(plain(each, f"{where}/{place}") for place, each in enumerate(value))
    for cls in _PLAIN:  # NumPy's float64 is a float
        if isinstance(value, cls):
            return cls(value)
    raise TypeError(
        f"{where} is a {type(value).__name__}: a checkpoint holds tensors, numbers, strings, None, and dicts, "
        f"lists and tuples of them; convert it, or leave it out"
    )


def _plain_tensor(value: torch.Tensor, where: str) -> torch.Tensor:
    if hasattr(value, "full_tensor"):
        raise TypeError(
            f"{where} is a shard (DTensor): save it with torch.distributed.checkpoint, which knows all shards"
        )
    if type(value) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer) or value.layout != torch.strided:
        raise TypeError(f"{where} is a {type(value).__name__} of layout {value.layout}: only plain tensors are saved")
    value = value.detach().resolve_conj().resolve_neg()
    # torch.save would write all of the memory that a view is a part of.
    return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()


class Packer:
    """Puts plain trees into JSON, and their tensors aside under the name of their place; tied ones once.

    Attributes:
        tensors: what was met so far.

    Example:
        >>> packer, w = Packer(), torch.ones(2)
        >>> packer.pack({0: (1.5, w), "again": w}, "a")
        {'dict': [[0, {'tuple': [1.5, {'tensor': 'a/0/1'}]}], ['again', {'tensor': 'a/0/1'}]]}
        >>> packer.tensors
        {'a/0/1': tensor([1., 1.])}
    """

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._names: dict[Any, str] = {}

    def pack(self, value: Any, where: str) -> Any:
        """Return a plain tree as JSON; ``where`` is its place."""
        if isinstance(value, torch.Tensor):
            return {"tensor": self._name(value, where)}
        for word, cls in _LISTS.items():
            if type(value) is cls:
                return {word: [self.pack(each, f"{where}/{place}") for place, each in enumerate(value)]}
        for word, cls in _DICTS.items():
            if type(value) is cls:
                return {word: [[self.pack(k, where), self.pack(v, f"{where}/{k}")] for k, v in value.items()]}
        return value

    def _name(self, value: torch.Tensor, where: str) -> str:
        # No two tensors without elements are the same one.
        looks = (value.data_ptr(), value.shape, value.stride(), value.dtype, value.device) if value.numel() else where
        name = self._names.setdefault(looks, where)
        self.tensors[name] = value
        return name


def unpack(packed: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Return the tree that a `Packer` packed.

    Example:
        >>> packer = Packer()
        >>> unpack(packer.pack({0: (1.5, torch.ones(2))}, "a"), packer.tensors)
        {0: (1.5, tensor([1., 1.]))}
    """
    if not isinstance(packed, dict):
        return packed
    ((word, value),) = packed.items()
    if word == "tensor":
        return tensors[value]
    if word in _LISTS:
        return _LISTS[word](unpack(each, tensors) for each in value)
    return _DICTS[word]({unpack(k, tensors): unpack(v, tensors) for k, v in value})
