"""A parameter's state as a dict that says when it was changed, so that a plan need not look at all of its tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class State(dict[str, Any]):
    """``optimizer.state[p]``: a dict that counts changes made to any of its kind.

    A thousand parameters have three thousand tensors of state. To see in every step that none was replaced means to
    fetch each of them from memory, a tenth of the step's time; to compare one number costs nothing.
    ``state_dict()`` gives plain dicts, so that a checkpoint knows nothing of this class.

    Example:
        >>> before, state = State.changes, State(step=1)
        >>> State.changes == before
        True
        >>> state["step"] = 2
        >>> State.changes == before
        False
    """

    changes: ClassVar[int] = 0

    __slots__ = ()


def _counted(method: Callable[..., Any]) -> Callable[..., Any]:
    def counted(self: State, *arguments: Any, **named: Any) -> Any:
        State.changes += 1
        return method(self, *arguments, **named)

    counted.__name__, counted.__doc__ = method.__name__, method.__doc__
    return counted


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(State, _name, _counted(getattr(dict, _name)))
