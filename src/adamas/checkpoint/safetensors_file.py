"""A tree as a ``.safetensors`` file, which every reader of that format opens, with a checksum of all its bytes.

The format (https://huggingface.co/docs/safetensors): 8 bytes with the length of a header, the header in JSON, numbers.
It is short enough to write and read here, hashing on the way. The header's metadata hold the tree and the checksum:
BLAKE2b of the file with 64 zeros in place of the 64 digits. Complex tensors are stored as pairs of reals.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from adamas.checkpoint.damage import Damage
from adamas.checkpoint.trees import Packer, unpack

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_WORDS = {dtype: word for word, dtype in _DTYPES.items()}
_ZEROS = b"0" * 64
_MARK = b'"adamas.blake2b":"'
_CHUNK = 1 << 22


def write(file: BinaryIO, tree: dict[str, Any]) -> None:
    """Write a plain tree.

    Raises:
        TypeError: for a dtype that the format has no word for.
    """
    packer = Packer()
    packed = {key: packer.pack(value, key) for key, value in tree.items()}
    complexes = sorted(name for name, x in packer.tensors.items() if x.is_complex())
    real = {name: torch.view_as_real(x) if x.is_complex() else x for name, x in packer.tensors.items()}
    # Wide elements first: each then lies at a multiple of its size, if the header's length is one of 8.
    order = sorted(real, key=lambda name: (-real[name].element_size(), name))
    header = _header(packed, complexes, {name: real[name] for name in order})
    digest = hashlib.blake2b(header, digest_size=32)
    file.write(header)
    for name in order:
        for chunk in _bytes(real[name]):
            digest.update(chunk)
            file.write(chunk)
    file.seek(header.index(_MARK + _ZEROS) + len(_MARK))
    file.write(digest.hexdigest().encode())


def _header(packed: Any, complexes: list[str], tensors: dict[str, torch.Tensor]) -> bytes:
    entries: dict[str, Any] = {
        "__metadata__": {
            "format": "pt",
            "adamas.blake2b": _ZEROS.decode(),
            "adamas.complex": json.dumps(complexes),
            "adamas.tree": json.dumps(packed, separators=(",", ":")),
        }
    }
    end = 0
    for name, x in tensors.items():
        if x.dtype not in _WORDS:
            raise TypeError(f"{name} is {x.dtype}, which the safetensors format has no word for: save to a .pt file")
        start, end = end, end + x.nbytes
        entries[name] = {"dtype": _WORDS[x.dtype], "shape": list(x.shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bytes(x: torch.Tensor) -> Iterator[memoryview]:
    """Yield the numbers of a tensor in row-major order, without a copy where it lies so on the CPU."""
    x = x.contiguous().cpu()
    if x.nbytes:
        memory = memoryview((ctypes.c_char * x.nbytes).from_address(x.data_ptr())).cast("B")
        yield from (memory[start : start + _CHUNK] for start in range(0, x.nbytes, _CHUNK))


def read(path: Path) -> dict[str, Any]:
    """Return the tree in a file, once all of its bytes are known to be as they were written.

    Raises:
        Damage: if they are not.
    """
    with path.open("rb") as file:
        # A private map: nothing is copied before it is needed, and the tensors may be written to.
        size = path.stat().st_size
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if size else b""
    start = 8 + int.from_bytes(memory[:8], "little")
    if size < 8 or size < start:
        raise Damage(f"it is truncated: {size} bytes, its header alone should have {start if size >= 8 else 'more'}")
    header = _checked(memory, start, size)
    metadata = header.pop("__metadata__")
    complexes = set(json.loads(metadata["adamas.complex"]))
    tensors = {}
    for name, entry in header.items():
        x = _tensor(memory, start + entry["data_offsets"][0], entry)
        tensors[name] = torch.view_as_complex(x) if name in complexes else x
    return {key: unpack(value, tensors) for key, value in json.loads(metadata["adamas.tree"]).items()}


def _checked(memory: Any, start: int, size: int) -> dict[str, Any]:
    """Return the header of a file whose bytes are as they were written."""
    mark = memory[:start].find(_MARK)
    place = mark + len(_MARK)
    header = _parsed(memory[8:start])
    expected = start + max((entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"), default=0)
    if header and size != expected:
        raise Damage(f"it is {'truncated' if size < expected else 'too long'}: {size} bytes instead of {expected}")
    digest = hashlib.blake2b(memory[:place], digest_size=32)
    digest.update(_ZEROS)
    with memoryview(memory) as view:
        for at in range(place + len(_ZEROS), size, _CHUNK):
            digest.update(view[at : at + _CHUNK])
    if mark < 0 or digest.hexdigest().encode() != memory[place : place + len(_ZEROS)]:
        raise Damage("its checksum does not match: bytes changed after it was written, or it is not of adamas.save")
    return header


def _parsed(text: bytes) -> dict[str, Any]:
    """Return the header, or nothing if it is not one: the checksum then says why."""
    try:
        header = json.loads(text)
        return header if all("data_offsets" in entry for name, entry in header.items() if name[:2] != "__") else {}
    except (ValueError, TypeError, AttributeError):
        return {}


def _tensor(memory: Any, offset: int, entry: dict[str, Any]) -> torch.Tensor:
    dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
    if math.prod(shape) == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(memory, dtype=dtype, count=math.prod(shape), offset=offset).view(shape)
