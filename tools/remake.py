"""Makes the numbers in README and docs again: `make evidence`, or ``python -m tools.remake [NAME ...]``.

`NUMBERS` says which command each number comes from; ``docs/numbers.md`` is this table (``--page`` writes it). A
command's output goes to ``build/numbers/NAME.txt``; what is there is not run again, so that it may be stopped and
started again.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "numbers.md"
KEPT = ROOT / "build" / "numbers"
SAME, CLOSE, TIMES = "everywhere", "on a machine", "of a machine"


class Number(NamedTuple):
    """Numbers that one command makes."""

    name: str
    what: str
    pages: str
    command: str
    minutes: float
    alike: str = SAME


NUMBERS = (
    Number(
        "bfloat16", "what decay is left of bfloat16 weights", "README.md", "pytest tests/core/test_bfloat16.py", 0.2
    ),
    Number("engines", "the engines' bits", "README.md", "pytest tests/core/test_engines.py", 2),
    Number("import", "milliseconds of `import adamas`", "README.md", "python benchmarks/import_time.py", 0.6, TIMES),
    Number(
        "snippets",
        "numbers that examples assert",
        "README.md docs/index.md docs/quickstart.md docs/torch.md docs/concepts docs/howto",
        "pytest tests/docs",
        1,
    ),
    Number("bytes", "bytes a weight of moments", "docs/howto/memory.md docs/formats", "pytest tests/memory", 0.2),
    Number(
        "codes",
        "code maps and their errors",
        "docs/formats",
        "python tools/code_maps.py docs/formats",
        0.2,
    ),
    Number(
        "sparse-errors",
        "how far sparse steps are from dense ones",
        "docs/sparse.md",
        "python benchmarks/sparse_errors.py",
        4,
        CLOSE,
    ),
    Number(
        "processes",
        "bytes that processes keep and send",
        "docs/distributed.md",
        "python benchmarks/distributed.py",
        1,
    ),
    Number("mutations", "bugs and the tests that catch them", "docs/mutations.md", "python -m tools.mutations", 10),
    Number(
        "figures",
        "claims of the papers",
        "docs/evidence.md docs/evidence docs/optimizers",
        "adamas reproduce all --out docs/evidence",
        30,
        CLOSE,
    ),
    Number(
        "optimizers",
        "the pages that quote them",
        "docs/evidence.md docs/optimizers",
        "python tools/optimizer_pages.py docs",
        0.1,
    ),
    Number("ideas", "pictures of the ideas", "docs/concepts", "python -m tools.concepts docs/concepts", 1, CLOSE),
    Number(
        "few-bit-updates",
        "errors of updates",
        "README.md docs/formats/errors.md docs/howto/memory.md docs/design.md",
        "adamas formats chargpt,cnn,mlp --steps 300 --out docs/formats/errors.md",
        4,
        CLOSE,
    ),
    Number(
        "few-bit-cnn",
        "final losses with few bits",
        "docs/formats/losses-cnn.md docs/status.md",
        "adamas few-bits cnn --seeds 10 --out docs/formats/losses-cnn.md",
        10,
        CLOSE,
    ),
    Number(
        "few-bit-gpt",
        "final losses with few bits",
        "docs/formats/losses-chargpt.md docs/status.md",
        "adamas few-bits chargpt --seeds 5 --steps 300 --out docs/formats/losses-chargpt.md",
        15,
        CLOSE,
    ),
    Number("demo", "90 seconds of the demo", "README.md docs/quickstart.md", "adamas demo --fresh", 2, TIMES),
    *(
        Number(f"speed-{case}", f"times of {case}", pages, f"adamas bench {case}", 0.6, TIMES)
        for case, pages in {
            "P1": "README.md",
            "P2": "README.md docs/design.md docs/status.md",
            "P3": "README.md docs/status.md",
            "P4": "README.md docs/status.md",
            "P5": "README.md docs/status.md",
            "P7": "README.md docs/status.md",
            "P9": "README.md",
        }.items()
    ),
    Number(
        "speed-P6",
        "times of P6",
        "README.md docs/sparse.md docs/status.md",
        "adamas bench P6 --starts 8 --rounds 5",
        2,
        TIMES,
    ),
    Number(
        "sparse-heights",
        "times of short and tall tables",
        "docs/sparse.md docs/status.md",
        "python benchmarks/sparse_heights.py",
        1,
        TIMES,
    ),
    Number(
        "sparse-large-pages",
        "the same with weights in large pages",
        "docs/sparse.md docs/status.md",
        "python benchmarks/sparse_heights.py --large-pages",
        1,
        TIMES,
    ),
    Number(
        "sparse-formats",
        "times of sparse steps in other dtypes and formats",
        "docs/sparse.md",
        "python benchmarks/sparse_formats.py",
        1,
        TIMES,
    ),
    Number(
        "sparse-loop",
        "times of training an embedding with sparse gradients",
        "docs/sparse.md",
        "python benchmarks/sparse_loop.py",
        1,
        TIMES,
    ),
    Number(
        "fsdp",
        "times of FSDP2's parameters",
        "docs/distributed.md docs/status.md",
        "python benchmarks/fsdp.py",
        0.5,
        TIMES,
    ),
    Number(
        "looks",
        "what the doctor costs",
        "docs/howto/doctor.md docs/status.md",
        "python benchmarks/looks.py",
        0.5,
        TIMES,
    ),
)
# Pages without a measured number of their own.
NONE = (
    "docs/dependencies.md",
    "docs/faults.md",
    "docs/gpu.md",
    "docs/numbers.md",
    "docs/reference",
    "docs/releasing.md",
)
HEAD = """\
# Where the numbers come from

<!-- Written by `python -m tools.remake --page`. Do not edit. -->

`make evidence` runs all of these, one after the other ({minutes:.0f} minutes on two cores);
`python -m tools.remake NAME` one. Output is kept in `build/numbers`, and pages are written where they are: `git diff
docs` then shows what differs. A command that ended is not run again until its output is removed, so it may be stopped
and started again. Figures need data, which `make evidence` gets first (`adamas data get`).

Some numbers are the same everywhere. Those *on a machine* are the same whenever it runs them, but differ in the last
digits from one CPU to another, and trainings make these grow. Those *of a machine* are times: README and docs say which
it was.

| name | what | where it is quoted | command | minutes | alike |
|---|---|---|---|---:|---|
"""
TAIL = """
Not remade: in `design.md` and `status.md`, times of versions that no longer exist, of what was tried without gain, and
of single operations (ns an element) which were taken with programs for that one question; rates and targets of the
lab's workloads, which name the command (`adamas tune`, `adamas calibrate`) beside them in `src/adamas/lab/workloads`;
bugs that were seeded by hand (`sparse.md`); times of a GPU (`python benchmarks/gpu.py`, `gpu.md`, README's limits).
"""


def page() -> str:
    """Return the page."""
    head = HEAD.format(minutes=sum(each.minutes for each in NUMBERS))
    rows = []
    for each in NUMBERS:
        pages = ", ".join(f"`{name.removeprefix('docs/')}`" for name in each.pages.split())
        rows.append(f"| {each.name} | {each.what} | {pages} | `{each.command}` | {each.minutes:g} | {each.alike} |")
    return head + "\n".join(rows) + "\n" + TAIL


def run(number: Number) -> bool:
    """Run a command unless its output is kept; say whether it ended well."""
    kept = KEPT / f"{number.name}.txt"
    if kept.exists():
        print(f"{number.name}: kept in {kept.relative_to(ROOT)}")
        return True
    print(f"{number.name}: {number.command}", flush=True)
    program, *rest = shlex.split(number.command)
    bin_folder = Path(sys.executable).parent
    command = [sys.executable, "-m", "pytest", *rest] if program == "pytest" else [str(bin_folder / program), *rest]
    draft = kept.with_suffix(".draft")
    draft.parent.mkdir(parents=True, exist_ok=True)
    with draft.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"}
        )
    if done.returncode:
        print(f"{number.name}: failed, see {draft.relative_to(ROOT)}")
        return False
    draft.rename(kept)
    return True


def main() -> int:
    """Run what is asked for, in order; 1 if something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to make; without it, all")
    parser.add_argument("--page", action="store_true", help="only write docs/numbers.md")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    unknown = set(given.names) - {each.name for each in NUMBERS}
    if unknown:
        parser.error(f"no numbers of that name: {', '.join(sorted(unknown))}; see docs/numbers.md")
    wanted = [each for each in NUMBERS if not given.names or each.name in given.names]
    return int(not all([run(each) for each in wanted]))


if __name__ == "__main__":
    sys.exit(main())
