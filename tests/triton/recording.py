"""Stands in for a CUDA graph: records what a step does to the device, and does exactly that again, without Python.

On a GPU a capture keeps kernels and their arguments, and memory that was allocated meanwhile, whose contents are
anything when a replay begins. Here those kernels are Triton's launches, in the interpreter, and torch's operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from triton.runtime.interpreter import InterpretedFunction

from adamas import capturing
from adamas.engines.looks import Looks

# What brings numbers from the host or to it: no capture could keep them.
FORBIDDEN = {"aten._local_scalar_dense.default", "aten.lift_fresh.default"}


class Recording(TorchDispatchMode):
    """What was launched, in order.

    Attributes:
        calls: (what, arguments, keywords, results) of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[torch.Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert str(func) not in FORBIDDEN, func
        result = func(*args, **(kwargs or {}))
        tensors = result if isinstance(result, (list, tuple)) else [result]
        self.calls.append((func, args, kwargs or {}, [x for x in tensors if isinstance(x, torch.Tensor)]))
        return result

    def replay(self) -> None:
        """Do it again, with nothing left of what was allocated."""
        for func, _, _, results in self.calls:
            for x in results if allocates(func) else ():
                x.fill_(float("nan") if x.is_floating_point() else 111)
        for func, args, kwargs, results in self.calls:
            if not isinstance(func, torch._ops.OpOverload) or writes(func):
                func(*args, **kwargs)
            elif allocates(func) and "empty" not in str(func):
                again = func(*args, **kwargs)
                for old, new in zip(results, again if isinstance(again, (list, tuple)) else [again], strict=True):
                    old.copy_(new)

    def signature(self) -> list[Any]:
        """Return what a capture would keep: operators, kernels, addresses, numbers."""
        return [
            (str(func) if isinstance(func, torch._ops.OpOverload) else func.__name__, plain(args), plain(kwargs))
            for func, args, kwargs, _ in self.calls
        ]


def writes(func: Any) -> bool:
    return any(a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments)


def allocates(func: Any) -> bool:
    return (
        isinstance(func, torch._ops.OpOverload)
        and all(a.alias_info is None for a in func._schema.returns)
        and bool(func._schema.returns)
    )


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.data_ptr(), value.shape, value.dtype
    if isinstance(value, (list, tuple)):
        return [plain(x) for x in value]
    return {key: plain(x) for key, x in value.items()} if isinstance(value, dict) else str(value)


@contextmanager
def recorded() -> Iterator[Recording]:
    """Record what happens inside, as while a graph is captured; nothing may come from the host but arguments."""
    recording, run = Recording(), InterpretedFunction.run

    def launch(self: Any, *args: Any, **kwargs: Any) -> None:
        def again(*args: Any, **kwargs: Any) -> None:
            with _disable_current_modes():
                run(self, *args, **kwargs)

        again.__name__ = self.fn.__name__
        again(*args, **kwargs)
        recording.calls.append((again, args, kwargs, []))

    def look(self: Looks) -> Any:
        def same(*tensors: Any) -> bool:
            with _disable_current_modes():  # torch's guard takes a mode of dispatch for another kind of tensor
                return self.__dict__["same"](*tensors)

        return same

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("numbers of the host")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InterpretedFunction, "run", launch)
        patch.setattr(capturing, "is_capturing", lambda: True)
        looked = property(look, lambda self, check: self.__dict__.update(same=check))
        patch.setattr(Looks, "same", looked, raising=False)
        patch.setattr(torch, "frombuffer", refuse)
        with recording:
            yield recording
