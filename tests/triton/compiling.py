"""Compiles kernels for GPUs that are not there, and prints what of them could change bits.

    python -m tests.triton.compiling

Runs without ``TRITON_INTERPRET``. For each kernel and target a line of JSON: LLVM's instructions and flags that would
fuse or approximate, and, for CUDA, PTX's.
"""

from __future__ import annotations

import json
import re
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from adamas.kernels import captured, step, sums

TARGETS = (GPUTarget("cuda", 80, 32), GPUTarget("hip", "gfx942", 64))
POINTERS = {
    "table": "*i64", "owner": "*i32", "layout": "*i64", "gradients": "*i64", "steps": "*fp64", "places": "*i32",
    "numbers": "*fp32", "width": "i32", "moments": "*fp32", "limits": "*fp32", "blocks": "i32",
    "rows": "*i64", "count": "i32", "first_program": "*i64", "first_block": "*i64", "counts": "*i64",
    "addresses": "*i64", "go": "*i64", "seen": "*fp64", "limit": "*fp64", "found_inf": "*fp32", "scale": "*fp32",
    "skipped": "*i64", "counters": "*i64", "others": "*i64", "group": "*i32", "hyper": "*fp64",
}  # fmt: skip
ADAM, NADAM, RADAM, ATAN2 = 8, 10, 11, 15
FLOAT32 = {"WEIGHT": 0, "SLOT0": 0, "SLOT1": 0, "SLOT2": -1, "LOW": 0, "RANDOM": 0, "DIMS": 0}
BFLOAT16 = {"WEIGHT": 2, "SLOT0": 2, "SLOT1": 2, "SLOT2": -1, "LOW": 0, "RANDOM": 1, "DIMS": 0}
INT8 = {"WEIGHT": 2, "SLOT0": 4, "SLOT1": 5, "SLOT2": -1, "LOW": 1, "RANDOM": 2, "DIMS": 0}
FAST, SLOW = {"FLAT": 1, "ALIGNED": 1}, {"FLAT": 0, "ALIGNED": 0}
INT4 = {"WEIGHT": 3, "SLOT0": 6, "SLOT1": 7, "SLOT2": -1, "LOW": 2, "RANDOM": 2, "DIMS": 3}
KERNELS: tuple[tuple[Any, dict[str, str], dict[str, int]], ...] = (
    (step.step_kernel, {}, {**FLOAT32, "RULE": ATAN2, "GRAD": 0, "ROWS": 0, "ASKS": 0, "UNITS": 8, **FAST}),
    (step.step_kernel, {}, {**BFLOAT16, "RULE": ADAM, "GRAD": 2, "ROWS": 0, "ASKS": 0, "UNITS": 8, **FAST}),
    (step.step_kernel, {}, {**INT8, "RULE": ADAM, "GRAD": 2, "ROWS": 0, "ASKS": 1, "UNITS": 8, **FAST}),
    (step.step_kernel, {}, {**INT4, "RULE": ADAM, "GRAD": 3, "ROWS": 0, "ASKS": 0, "UNITS": 8, **SLOW}),
    (step.step_kernel, {}, {**INT4, "RULE": ADAM, "GRAD": 0, "ROWS": 1, "ASKS": 0, "UNITS": 8, **SLOW, "DIMS": 0}),
    (sums.statistics_kernel, {"sums": "*fp32"}, {**INT8, "RULE": ADAM, "FIRST": 0, "SECOND": 1, "BLOCKS": 8}),
    (sums.ratios_kernel, {"sums": "*fp64"}, {"WEIGHT": 2, "SLOT": 7, "PLACE": 1, "LOW": 0, "DIMS": 2, "BLOCKS": 8}),
    (sums.squares_kernel, {"sums": "*fp64"}, {"KIND": 2, "BLOCKS": 8}),
    (captured.decide_kernel, {"sums": "*fp64"}, {"SKIP": 1, "CLIP": 1}),
    *(
        (captured.count_kernel, {}, {"RULE": rule, "OTHERS": rule == NADAM, "HYPER": 9, "WIDTH": 10, "ITEMS": 128})
        for rule in (ADAM, NADAM, RADAM)
    ),
)


def compiled(kernel: Any, pointers: dict[str, str], constants: dict[str, int], target: GPUTarget) -> dict[str, str]:
    """Return what a kernel is compiled to: texts by language."""
    known = {**POINTERS, **pointers}
    signature = {name: known.get(name, "constexpr") for name in kernel.arg_names}
    places = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    return triton.compile(source, target=target, options={"enable_fp_fusion": False}).asm


def main() -> None:
    """Compile everything and print what was found."""
    for target in TARGETS:
        for kernel, pointers, constants in KERNELS:
            made = compiled(kernel, pointers, constants, target)
            loose = re.findall(r"\b(?:contract|fast|reassoc|arcp|afn|fmuladd|llvm\.fma)\b", made["llir"])
            ptx = re.findall(r"\b(?:fma|mad|div|sqrt|rcp|rsqrt|ex2)\.\S*f(?:32|64)\b", made.get("ptx", ""))
            print(json.dumps({"target": target.backend, "loose": sorted(set(loose)), "ptx": sorted(set(ptx))}))


if __name__ == "__main__":
    main()
