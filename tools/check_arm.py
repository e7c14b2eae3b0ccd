"""Runs the compiled engine's tests on another machine's build of it, one launch at a time, through ``replay``.

    python tools/check_arm.py COMMAND...

COMMAND starts ``replay`` (for example ``qemu-aarch64 build/arm/replay``). Every launch that the catalogue of the
engine tests makes is written to a file, run there, read back, and must leave the bits of the reference engine.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from rich.progress import track

from adamas.engines import library
from adamas.engines.library import MAX_OPERANDS, MAX_SLOTS, LaunchStruct, Layout
from adamas.formats.blocks import blocks_of
from adamas.formats.int4 import words_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.core.catalog import CASES, DTYPES, LAYOUTS, Case
from tests.core.test_engines import both

_WIDTH = {0: 4, 1: 8, 2: 2, 3: 2, 4: 1, 5: 1, 8: 2}  # bytes of an element by AdamasDtype
_PACKED = (6, 7)
_BLOCK = {4: (128, 4), 5: (128, 4), 6: (32, 2), 7: (64, 4)}  # elements of a block, bytes of its scale


class Replay:
    """Stands for the library: steps a launch by the program ``replay``."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.command, self.folder = command, folder
        self.launches, self.isas = 0, set()

    def adamas_step(self, struct: LaunchStruct) -> int:
        """Write the launch, run it, read the operands back."""
        extents = [
            [self.extent(struct, tensor, place) for place in range(MAX_OPERANDS)]
            + [self.scales(struct, tensor, slot) for slot in range(MAX_SLOTS)]
            for tensor in range(struct.tensors)
        ]
        (self.folder / "in").write_bytes(self.written(struct, extents))
        done = subprocess.run(
            [*self.command, self.folder / "in", self.folder / "out"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)} failed with {done.returncode}: {done.stderr}")
        self.isas.add(done.stderr.strip())
        self.launches += 1
        data = (self.folder / "out").read_bytes()
        for addresses in extents:
            for address, bytes_ in addresses:
                ctypes.memmove(address, data[:bytes_], bytes_)
                data = data[bytes_:]
        return 0

    def extent(self, struct: LaunchStruct, tensor: int, place: int) -> tuple[int, int]:
        """Return address and size in bytes of the memory that an operand of a tensor spans."""
        if not struct.operand[place]:
            return 0, 0
        address = at(struct.operand[place], ctypes.c_uint64, tensor)
        elements = at(struct.numel, ctypes.c_int64, tensor)
        layout = self.layout(struct, tensor)
        if 2 <= place < 2 + MAX_SLOTS and struct.dtype[place] in _PACKED:
            length = at(struct.row_length, ctypes.c_int64, tensor)
            return address, elements // length * words_of(length) * 4
        if layout is not None and not (layout.flat >> place) & 1:
            dims = range(layout.dims)
            elements = 1 + sum((layout.size[d] - 1) * layout.stride[place][d] for d in dims) if elements else 0
        return address, elements * _WIDTH[struct.dtype[place]]

    @staticmethod
    def scales(struct: LaunchStruct, tensor: int, slot: int) -> tuple[int, int]:
        """Return address and size in bytes of the scales of a slot of a tensor."""
        if not struct.scale[slot]:
            return 0, 0
        length = at(struct.row_length, ctypes.c_int64, tensor)
        size, width = _BLOCK[struct.dtype[2 + slot]]
        rows = at(struct.numel, ctypes.c_int64, tensor) // length
        return at(struct.scale[slot], ctypes.c_uint64, tensor), rows * blocks_of(length, size) * width

    @staticmethod
    def layout(struct: LaunchStruct, tensor: int) -> Layout | None:
        """Return the layout of a tensor, if it has one."""
        address = at(struct.layout, ctypes.c_uint64, tensor)
        return Layout.from_address(address) if address else None

    def written(self, struct: LaunchStruct, extents: list[list[tuple[int, int]]]) -> bytes:
        """Return the launch in the format of replay.cpp."""
        n, width = struct.tensors, struct.scalars_per_row
        rows = 1 + max(at(struct.row, ctypes.c_int32, tensor) for tensor in range(n))
        head = [struct.rule, struct.compute, *struct.dtype, struct.rounding, struct.threads, width, n, rows]
        parts = [array("q", head).tobytes()]
        for address, size in (
            (struct.numel, 8 * n),
            (struct.first_block, 8 * (n + 1)),
            (struct.row, 4 * n),
            (struct.stream, 8 * n),
            (struct.step, 8 * n),
            (struct.scalars, 8 * width * rows),
        ):
            parts.append(ctypes.string_at(address, size))
        lengths = ctypes.string_at(struct.row_length, 8 * n) if struct.row_length else b""
        parts += [array("q", [bool(lengths)]).tobytes(), lengths]
        for tensor in range(n):
            layout = self.layout(struct, tensor)
            parts += [array("q", [layout is not None]).tobytes(), bytes(layout) if layout is not None else b""]
            for address, size in extents[tensor]:
                parts += [array("q", [size]).tobytes(), ctypes.string_at(address, size)]
        return b"".join(parts)


def at(address: int, kind: type[Any], index: int) -> int:
    """Return an element of an array of a C type at an address."""
    return kind.from_address(address + index * ctypes.sizeof(kind)).value


def jobs() -> list[tuple[Case, torch.Tensor, list[torch.Tensor], dict[str, str]]]:
    """Return weights, gradients and options that reach every rule, dtype, rounding and layout."""
    torch.manual_seed(0)
    made = []
    for case in CASES:
        for dtype in DTYPES:
            for rounding in ("nearest", "stochastic"):
                grads = [torch.randn(1300).to(dtype) for _ in range(2)]
                made.append((case, torch.randn(1300).to(dtype), grads, {"rounding": rounding}))
        for state_format in ("int8", "int4"):
            grads = [torch.randn(3, 450) * torch.exp(2 * torch.randn(3, 450)) for _ in range(2)]
            made.append((case, torch.randn(3, 450), grads, {"state_format": state_format}))
    for dtype in (torch.bfloat16, torch.float16):
        for rounding in ("split24", "split32"):
            for state_format in ("int8", "int4", "float32"):
                grads = [torch.randn(3, 416).to(dtype) for _ in range(2)]
                options = {"rounding": rounding, "state_format": state_format}
                made.append((CASES[9], torch.randn(3, 416).to(dtype), grads, options))
    for make in LAYOUTS.values():
        for dtype in (torch.float32, torch.bfloat16):
            grads = [LAYOUTS["transposed"]((3, 4, 5, 6), dtype).copy_(torch.randn(3, 4, 5, 6))]
            made.append((CASES[8], make((3, 4, 5, 6), dtype).copy_(torch.randn(3, 4, 5, 6)), grads, {}))
    return made


def main(command: list[str]) -> int:
    """Check every job; print what was run."""
    if not command:
        print(__doc__)
        return 2
    host = library.load()
    if host is None:
        return 2
    with tempfile.TemporaryDirectory() as folder:
        replay = Replay(command, Path(folder))
        there = SimpleNamespace(
            adamas_step=replay.adamas_step,
            adamas_ratios=host.adamas_ratios,
            adamas_statistics=host.adamas_statistics,
            adamas_squares=host.adamas_squares,
            adamas_count=host.adamas_count,
            adamas_read=host.adamas_read,
            adamas_write=host.adamas_write,
        )
        with mock.patch.object(library, "load", return_value=there):
            for case, weight, grads, options in track(jobs(), description="replaying"):
                both(case, weight, grads, **options)
    if replay.launches == 0:
        print("no launch was replayed: nothing was checked")
        return 1
    print(f"{replay.launches} launches on {', '.join(sorted(replay.isas))}: the bits of the reference engine")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
