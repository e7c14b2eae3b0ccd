"""The hooks around ``step``: torch's, with its profiler told only if there is one, its compiler told to keep out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
import torch.optim.optimizer as torch_optimizer

_Step = Callable[..., Any]


def with_hooks(step: _Step) -> _Step:
    """Run the hooks of one optimizer and of all around its ``step``.

    torch wraps every optimizer's ``step`` in this way, and always opens a ``record_function`` for its profiler: 60 µs,
    nearly half of the step of a small model. Here it is opened only when a profiler listens. After the work of a step
    every function of Python has to come back into the caches, 1 to 3 µs each: where nothing listens, there is one.

    ``torch.compile`` calls it as it is. A step is one call of a compiled engine, with addresses: nothing of it is
    torch's to compile, and what is around it (plans, counters, hyper-parameters) would be traced in 200 pieces, and
    again when one of them changes.
    """
    # torch.compiler.disable, but torch._dynamo (a second) is imported at the first call, as torch.optim itself does.
    apart = torch._disable_dynamo(_run)

    @functools.wraps(step)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_dynamo_compiling() or _compiler() is not None:
            return apart(step, args, kwargs)
        self = args[0]
        if (
            torch.autograd._profiler_enabled()
            or torch_optimizer._global_optimizer_pre_hooks
            or torch_optimizer._global_optimizer_post_hooks
            or self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
        ):
            return _run(step, args, kwargs)
        return step(*args, **kwargs)

    hooked.hooked = True  # type: ignore[attr-defined]  # torch's own mark for "do not wrap it again"
    return hooked


def _run(step: _Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Take a step that its hooks, and a profiler if there is one, hear of."""
    if not torch.autograd._profiler_enabled():
        return _between(step, args, kwargs)
    with torch.autograd.profiler.record_function(f"Optimizer.step#{type(args[0]).__name__}.step"):
        return _between(step, args, kwargs)


def _between(step: _Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Take a step between its hooks."""
    self = args[0]
    args, kwargs = _before(step, args, kwargs)
    result = step(*args, **kwargs)
    self._optimizer_step_code()  # what torch's profiler looks for when it traces Python
    post_hooks = self._optimizer_step_post_hooks.values()
    for hook in chain(post_hooks, torch_optimizer._global_optimizer_post_hooks.values()):
        hook(self, args, kwargs)
    return result


def _before(step: _Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Run the hooks before a step; return its arguments, which they may replace."""
    self = args[0]
    for hook in chain(torch_optimizer._global_optimizer_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
        replaced = hook(self, args, kwargs)
        if replaced is None:
            continue
        if not (isinstance(replaced, tuple) and len(replaced) == 2):
            raise RuntimeError(f"{step} must return None or a tuple of (new_args, new_kwargs), but got {replaced}.")
        args, kwargs = replaced
    return args, kwargs


def _find_compiler() -> Callable[[], Any]:
    """Return what says who compiles the frames of Python that are entered now, None if nobody does.

    torch's own question, in C, is private: without it somebody always may.
    """
    try:
        from torch._C._dynamo.eval_frame import get_eval_frame_callback
    except ImportError:
        return lambda: True
    return get_eval_frame_callback


_compiler = _find_compiler()  # to keep it out takes 6 µs, a step of one embedding 250
