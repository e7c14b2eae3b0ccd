"""Runs the compiled engine's tests on another machine's build of it, one launch at a time, through ``replay``.

    python tools/check_arm.py COMMAND...

COMMAND starts ``replay`` (for example ``qemu-aarch64 build/arm/replay``). Every launch that the catalogue of the
engine tests makes is written to a file, run there, read back, and must leave the bits of the reference engine: steps,
what the doctor counts of them, steps of rows and catching them up. (Rows are sorted and merged here: ``touch.cpp`` is
the same code everywhere.)
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

from adamas import AdamW
from adamas.engines import library
from adamas.engines.library import MAX_OPERANDS, MAX_SLOTS, STATISTICS, LagStruct, LaunchStruct, Layout, RowsStruct
from adamas.formats.blocks import blocks_of
from adamas.formats.int4 import words_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.core.catalog import CASES, DTYPES, LAYOUTS, Case, same_bits
from tests.core.test_engines import both
from tests.doctor.test_statistics import same as both_looks
from tests.sparse.sequences import lead

_STEP, _LOOK, _ROWS, _CATCH_UP = range(4)  # what replay.cpp is asked to do
_WIDTH = {0: 4, 1: 8, 2: 2, 3: 2, 4: 1, 5: 1, 8: 2}  # bytes of an element by AdamasDtype
_PACKED = (6, 7)
_BLOCK = {4: (128, 4), 5: (128, 4), 6: (32, 2), 7: (64, 4)}  # elements of a block, bytes of its scale


class Replay:
    """Stands for the library: steps a launch by the program ``replay``."""

    def __init__(self, command: list[str], folder: Path, host: Any) -> None:
        self.command, self.folder = command, folder
        self.advance = host.adamas_advance
        self.launches, self.isas = 0, set()

    def adamas_step(self, struct: LaunchStruct) -> int:
        """Take a step there."""
        return self.replay(struct, _STEP, b"", [])

    def adamas_statistics(self, struct: LaunchStruct, limits: int, step: int, partial: int, out: int) -> int:
        """Look at a step there, and perhaps take it."""
        del partial
        more = words(step) + ctypes.string_at(limits, 8 * 4 * rows_of(struct))
        return self.replay(struct, _LOOK, more, [(out, 8 * STATISTICS * struct.tensors)])

    def adamas_step_rows(self, rows: RowsStruct) -> int:
        """Step rows there."""
        self.replay(rows.launch.contents, _ROWS, written_rows(rows, stepped=True), last_of(rows), rows)
        if rows.lag:
            self.advance(rows.lag)
        return 0

    def adamas_catch_up(self, rows: RowsStruct) -> int:
        """Catch up rows there; return how many were behind."""
        behind = array("q", [0])
        back = [*last_of(rows), (behind.buffer_info()[0], 8)]
        self.replay(rows.launch.contents, _CATCH_UP, written_rows(rows, stepped=False), back, rows)
        return behind[0]

    def replay(
        self, struct: LaunchStruct, what: int, more: bytes, back: list[tuple[int, int]], rows: RowsStruct | None = None
    ) -> int:
        """Write the launch and what else is needed, run it, read the operands and what else comes back."""
        extents = [
            [self.extent(struct, tensor, place) for place in range(MAX_OPERANDS)]
            + [self.scales(struct, tensor, slot) for slot in range(MAX_SLOTS)]
            for tensor in range(struct.tensors)
        ]
        if rows is not None:
            extents[0][1] = (0, 0)  # the gradient is that of some rows
        (self.folder / "in").write_bytes(self.written(struct, what, extents, rows) + more)
        done = subprocess.run(
            [*self.command, self.folder / "in", self.folder / "out"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)} failed with {done.returncode}: {done.stderr}")
        self.isas.add(done.stderr.strip())
        self.launches += 1
        data = (self.folder / "out").read_bytes()
        for addresses in (*extents, back):
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

    def written(
        self, struct: LaunchStruct, what: int, extents: list[list[tuple[int, int]]], some: RowsStruct | None
    ) -> bytes:
        """Return the launch in the format of replay.cpp."""
        n, width = struct.tensors, struct.scalars_per_row
        moving = what == _CATCH_UP  # takes no numbers, and those of the last step are gone
        rows = 1 if moving else rows_of(struct, some)
        head = [what, struct.rule, struct.compute, *struct.dtype, struct.rounding, struct.threads, width, n, rows]
        parts = [array("q", head).tobytes()]
        for address, size, needed in (
            (struct.numel, 8 * n, True),
            (struct.first_block, 8 * (n + 1), True),
            (struct.row, 4 * n, not moving),
            (struct.stream, 8 * n, True),
            (struct.step, 8 * n, not moving),
            (struct.scalars, 8 * width * rows, not moving),
        ):
            parts.append(ctypes.string_at(address, size) if needed else bytes(size))
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


def words(*values: int) -> bytes:
    """Return numbers as replay.cpp reads them."""
    return array("q", values).tobytes()


def rows_of(struct: LaunchStruct, some: RowsStruct | None = None) -> int:
    """Return how many rows of numbers a launch has."""
    used = [at(struct.row, ctypes.c_int32, tensor) for tensor in range(struct.tensors)]
    if some is not None and some.scalars:
        used += [at(some.scalars, ctypes.c_int32, k) for k in range(some.count)]
    return 1 + max(used)


def last_of(rows: RowsStruct) -> list[tuple[int, int]]:
    """Return address and size of the steps that rows are at, if they lag."""
    height = at(rows.launch.contents.numel, ctypes.c_int64, 0) // rows.length
    return [(rows.lag.contents.last, 4 * height)] if rows.lag else []


def written_rows(rows: RowsStruct, stepped: bool) -> bytes:
    """Return some rows in the format of replay.cpp; those that are only caught up have no gradient."""
    count = rows.count
    sources = [at(rows.source, ctypes.c_int32, k) for k in range(count)] if stepped else []
    values = rows.entries * rows.length * _WIDTH[rows.dtype]
    added = max([0, *(1 + each - rows.entries for each in sources)]) * rows.length
    added *= _WIDTH[rows.launch.contents.compute]
    parts = [words(rows.length, count, rows.entries, rows.dtype)]
    arrays = [(rows.row, 4 * count), (rows.source, 4 * count), (rows.values, values), (rows.added, added)]
    arrays.append((rows.scalars, 4 * count))
    for place, (address, size) in enumerate(arrays):
        there = bool(address) and (stepped or place == 0)
        parts.append(words(size if there else -1) + (ctypes.string_at(address, size) if there else b""))
    return b"".join([*parts, written_lag(rows.lag.contents, last_of(rows)[0][1]) if rows.lag else words(0)])


def written_lag(lag: LagStruct, size: int) -> bytes:
    """Return how far rows are behind, in the format of replay.cpp."""
    steps = lag.now - lag.start + 1
    parts = [words(1, lag.start, lag.now, lag.reach, lag.constant), array("d", [lag.eps, lag.tolerance]).tobytes()]
    for address, bytes_ in [(lag.last, size), (lag.sums, 40 * steps), (lag.half2, 8 * (lag.reach + 1))]:
        parts.append(words(bytes_) + ctypes.string_at(address, bytes_))
    for address in (lag.kept, lag.rate, lag.unbias, lag.power1, lag.power2):
        parts.append(ctypes.string_at(address, 8 * steps))
    return b"".join(parts)


def check_looks() -> None:
    """Look at steps of every rule, dtype and rounding, by both engines."""
    torch.manual_seed(1)
    adam = CASES[8]
    for case in CASES:
        both_looks(case, [torch.randn(1300)], [torch.randn(1300) for _ in range(2)])
    for dtype in DTYPES:
        for rounding in ("nearest", "stochastic", "split24"):
            for state_format in ("float32", "int8"):
                options = {"rounding": rounding, "state_format": state_format}
                for length in (450, 512):  # the latter: units are looked at as they are stepped
                    grads = [torch.randn(3, length).to(dtype) for _ in range(2)]
                    both_looks(adam, [torch.randn(3, length).to(dtype)], grads, **options)


def check_rows() -> None:
    """Step rows lazily and exactly, by both engines."""
    exact: list[dict[str, Any]] = [{}, {"eps": 1e-3}, {"amsgrad": True}, {"weight_decay": 0.5, "lr": 1e-2}]
    lazy: list[dict[str, Any]] = [{}, {"row_steps": True}, {"state_format": "int8"}, {"state_format": "int4"}]
    for options in [*exact, *({"sparse": "lazy", **each} for each in lazy)]:
        for dtype in DTYPES:
            for shape in ((40, 64), (40, 7)):
                found = [lead(AdamW, shape, 20, dtype, engine=engine, **options) for engine in ("cpu", "reference")]
                (ours, state), (theirs, expected) = found
                assert same_bits(ours, theirs), (options, dtype, shape)
                assert all(same_bits(state[name], value) for name, value in expected.items()), (options, dtype, shape)


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
        replay = Replay(command, Path(folder), host)
        there = SimpleNamespace(
            adamas_step=replay.adamas_step,
            adamas_ratios=host.adamas_ratios,
            adamas_statistics=replay.adamas_statistics,
            adamas_step_rows=replay.adamas_step_rows,
            adamas_catch_up=replay.adamas_catch_up,
            adamas_touch=host.adamas_touch,
            adamas_merge=host.adamas_merge,
            adamas_squares=host.adamas_squares,
            adamas_count=host.adamas_count,
            adamas_read=host.adamas_read,
            adamas_write=host.adamas_write,
        )
        with mock.patch.object(library, "load", return_value=there):
            for case, weight, grads, options in track(jobs(), description="replaying"):
                both(case, weight, grads, **options)
            check_looks()
            check_rows()
    if replay.launches == 0:
        print("no launch was replayed: nothing was checked")
        return 1
    print(f"{replay.launches} launches on {', '.join(sorted(replay.isas))}: the bits of the reference engine")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
