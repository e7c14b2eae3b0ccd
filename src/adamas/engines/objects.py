"""Asks many tensors at once where they are, and whether two lists have the very same objects.

A step asks this of every weight, gradient and state. In Python each of them is a call, and in C a few instructions:
the compiled library goes through the list with functions of Python (its stable ABI) and of torch (what inductor's
graphs call). The latter is private: it is used if it agrees with ``data_ptr()``, and there is a way without it.
"""

from __future__ import annotations

import ctypes
import functools
from array import array
from collections.abc import Callable
from ctypes import c_int, c_int64, c_void_p, py_object
from operator import is_
from typing import Any, NamedTuple

import torch

from adamas.engines import library

# Fewer are asked sooner than the library is called.
_MANY_ADDRESSES, _MANY_OBJECTS = 12, 64


class _Calls(NamedTuple):
    addresses: Callable[..., int]
    identical: Callable[..., int]
    item: int
    address: int


def addresses(tensors: list[torch.Tensor]) -> array:
    """Return ``data_ptr()`` of strided tensors.

    Example:
        >>> x = torch.ones(3)
        >>> addresses([x, x[1:]]) == array("Q", [x.data_ptr(), x.data_ptr() + 4])
        True
    """
    calls = _calls() if len(tensors) >= _MANY_ADDRESSES else None
    if calls is not None and calls.address:
        found = array("Q", bytes(8 * len(tensors)))
        n = calls.addresses(calls.item, calls.address, tensors, len(tensors), found.buffer_info()[0])
        if n == len(tensors):
            return found
    return array("Q", map(torch.Tensor.data_ptr, tensors))


def identical(now: list[Any], before: list[Any]) -> bool:
    """Say whether these are the very same objects: tensors have no other comparison that is one truth value.

    Example:
        >>> x, y = torch.ones(1), torch.ones(1)
        >>> identical([x, y], [x, y]), identical([x, x], [x, y]), identical([x], [x, y])
        (True, False, False)
    """
    if len(now) != len(before):
        return False
    calls = _calls() if len(now) >= _MANY_OBJECTS else None
    if calls is not None:
        return calls.identical(calls.item, now, before, len(now)) == 1
    return all(map(is_, now, before))


@functools.cache
def _calls() -> _Calls | None:
    loaded = library.load()
    if loaded is None:
        return None
    held = ctypes.PyDLL(loaded._name, handle=loaded._handle)  # keeps Python's lock while it reads lists
    held.adamas_addresses.argtypes = [c_void_p, c_void_p, py_object, c_int64, c_void_p]
    held.adamas_addresses.restype = c_int64
    held.adamas_identical.argtypes, held.adamas_identical.restype = [c_void_p, py_object, py_object, c_int64], c_int
    item = ctypes.cast(ctypes.pythonapi.PyList_GetItem, c_void_p).value or 0
    found = _Calls(held.adamas_addresses, held.adamas_identical, item, _torchs_address())
    return found if not found.address or _is_right(found) else found._replace(address=0)


def _torchs_address() -> int:
    """Return the address of torch's function from a tensor object to its first element, or 0 if this torch has none."""
    try:
        from torch._C._dynamo import guards
    except ImportError:
        return 0
    found = getattr(guards, "_torchinductor_pyobject_tensor_data_ptr", 0)
    return found if isinstance(found, int) else 0


def _is_right(calls: _Calls) -> bool:
    whole = torch.empty(2)
    pair, found = [whole, whole[1:]], array("Q", bytes(16))
    n = calls.addresses(calls.item, calls.address, pair, 2, found.buffer_info()[0])
    return n == 2 and list(found) == [x.data_ptr() for x in pair]
