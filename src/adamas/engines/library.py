"""Finds and loads the compiled library, and mirrors its C ABI (``csrc/adamas.h``) in ctypes. Compiles nothing."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import warnings
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int32, c_int64, c_void_p
from pathlib import Path

import torch

ABI = 10
MAX_SLOTS, MAX_DIMS, BLOCK = 3, 8, 4096
LOW = 2 + MAX_SLOTS
STATISTICS = 13  # numbers of a tensor, as in engines/statistics.py
MAX_OPERANDS = LOW + 1
INDEX_FLAT = 1 << MAX_OPERANDS
DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}

_FILE = {"win32": "adamas.dll", "darwin": "libadamas.dylib"}.get(sys.platform, "libadamas.so")


class Layout(Structure):
    """``AdamasLayout``: where the elements of a tensor are when they do not simply follow each other."""

    _fields_ = (
        ("dims", c_int32),
        ("flat", c_int32),
        ("size", c_int64 * MAX_DIMS),
        ("stride", (c_int64 * MAX_DIMS) * MAX_OPERANDS),
        ("index_stride", c_int64 * MAX_DIMS),
    )


class LaunchStruct(Structure):
    """``AdamasLaunch``: many tensors of the same rule, dtypes and rounding. Arrays are given by address."""

    _fields_ = (
        ("rule", c_int32),
        ("compute", c_int32),
        ("dtype", c_int32 * MAX_OPERANDS),
        ("rounding", c_int32),
        ("threads", c_int32),
        ("scalars_per_row", c_int32),
        ("tensors", c_int64),
        ("numel", c_void_p),
        ("first_block", c_void_p),
        ("operand", c_void_p * MAX_OPERANDS),
        ("scale", c_void_p * MAX_SLOTS),
        ("row_length", c_void_p),
        ("layout", c_void_p),
        ("row", c_void_p),
        ("scalars", c_void_p),
        ("stream", c_void_p),
        ("step", c_void_p),
        ("origin", c_void_p),
    )


class LagStruct(Structure):
    """``AdamasLag``: how far the rows of a tensor are behind."""

    _fields_ = (
        ("start", c_int64),
        ("now", c_int64),
        ("reach", c_int64),
        ("constant", c_int32),
        ("last", c_void_p),
        ("sums", c_void_p),
        ("kept", c_void_p),
        ("rate", c_void_p),
        ("unbias", c_void_p),
        ("power1", c_void_p),
        ("power2", c_void_p),
        ("half2", c_void_p),
        ("eps", c_double),
        ("tolerance", c_double),
        ("powers", c_void_p),
        ("next", c_void_p),
    )


class TrialStruct(Structure):
    """``AdamasTrial``: which way of asking for rows takes less time."""

    _fields_ = (("calls", c_int64), ("fastest", c_double * 2))


class RowsStruct(Structure):
    """``AdamasRows``: some rows of the one tensor of a launch."""

    _fields_ = (
        ("launch", POINTER(LaunchStruct)),
        ("length", c_int64),
        ("count", c_int64),
        ("row", c_void_p),
        ("source", c_void_p),
        ("values", c_void_p),
        ("added", c_void_p),
        ("entries", c_int64),
        ("dtype", c_int32),
        ("scalars", c_void_p),
        ("lag", POINTER(LagStruct)),
        ("together", c_int32),
        ("trial", c_void_p),
    )


@functools.cache
def load() -> ctypes.CDLL | None:
    """Return the library, or None after one warning that says why the reference engine is used instead."""
    path = find()
    if path is None:
        return _missing(f"{_FILE} is not installed (was there a C++ compiler when adamas was?)")
    try:
        library = ctypes.CDLL(str(path))
        _declare(library)
    except (OSError, AttributeError) as error:
        return _missing(f"{path.name} cannot be loaded: {error}")
    if library.adamas_abi() != ABI:
        return _missing(f"{path.name} is of another version (ABI {library.adamas_abi()}, this needs {ABI})")
    if hasattr(os, "register_at_fork"):
        # OpenMP's threads do not survive a fork, and the child would wait for them for ever (torch's own steps do).
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
    return _choose_isa(library)


def find() -> Path | None:
    """Return the path of the library: in the folder ``ADAMAS_LIBRARY``, or in one of the package's.

    (An editable install has two folders: that of the Python files, and that of what was built.)
    """
    import adamas

    for folder in filter(None, [os.environ.get("ADAMAS_LIBRARY"), *adamas.__path__]):
        path = Path(folder) / _FILE
        if path.exists():
            return path
    return None


def _declare(library: ctypes.CDLL) -> None:
    library.adamas_step.argtypes, library.adamas_step.restype = [POINTER(LaunchStruct)], c_int
    squares, ratios = library.adamas_squares, library.adamas_ratios
    squares.argtypes = [c_int32, c_int32, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]
    ratios.argtypes = [POINTER(LaunchStruct), c_int32, c_void_p, c_void_p, c_void_p]
    statistics = library.adamas_statistics
    statistics.argtypes = [POINTER(LaunchStruct), c_void_p, c_int32, c_void_p, c_void_p]
    squares.restype = ratios.restype = statistics.restype = c_int
    library.adamas_touch.argtypes = [c_int64, c_void_p, c_int64, c_int32, c_int64, c_void_p]
    library.adamas_touch.restype = c_int64
    library.adamas_merge.argtypes = [c_int64, c_void_p, c_void_p, c_int32, c_int32, c_int64, c_int32, c_void_p]
    library.adamas_merge.restype = None
    library.adamas_advance.argtypes, library.adamas_advance.restype = [POINTER(LagStruct)], None
    library.adamas_step_rows.argtypes, library.adamas_step_rows.restype = [POINTER(RowsStruct)], c_int
    library.adamas_catch_up.argtypes, library.adamas_catch_up.restype = [POINTER(RowsStruct)], c_int64
    for function in (library.adamas_count, library.adamas_read, library.adamas_write):
        function.argtypes, function.restype = [c_int64, c_void_p, c_void_p], None
    library.adamas_abi.argtypes, library.adamas_abi.restype = [], c_int
    library.adamas_isa.argtypes, library.adamas_isa.restype = [], c_char_p
    library.adamas_use_isa.argtypes, library.adamas_use_isa.restype = [c_char_p], c_int


def _choose_isa(library: ctypes.CDLL) -> ctypes.CDLL:
    wanted = os.environ.get("ADAMAS_ISA")
    if wanted and library.adamas_use_isa(wanted.encode()) != 0:
        chosen = library.adamas_isa().decode()
        warnings.warn(
            f"ADAMAS_ISA={wanted}: this CPU or this build has no such instruction set, using {chosen}",
            stacklevel=2,
        )
    return library


def _missing(why: str) -> None:
    warnings.warn(
        f"adamas: the compiled CPU engine is not available, the (slower) reference engine is used: {why}",
        stacklevel=2,
    )


def isa() -> str | None:
    """Return the instruction set of the compiled engine, or None without one.

    Example:
        >>> isa() in ("avx512", "avx2", "neon", "baseline", None)
        True
    """
    library = load()
    return None if library is None else library.adamas_isa().decode()
