"""The bugs that `make mutations` seeds (``mutations.py``): where each goes, and which tests should see it."""

from __future__ import annotations

from typing import NamedTuple

CORE = "tests/core/"
ENGINES, BITS = f"{CORE}test_engines.py", f"{CORE}test_few_bits.py"
ORACLES = "tests/contract/test_oracles.py"


class Bug(NamedTuple):
    """A seeded bug: what it is, where, what is replaced by what, and the tests that should see it."""

    what: str
    path: str
    old: str
    new: str
    tests: str

    @property
    def compiled(self) -> bool:
        """Whether it is in the C++."""
        return self.path.startswith("csrc/")


BUGS = (
    Bug("a sign: v loses g^2", "rules/adam.py", "c.beta2 * v + c.take2", "c.beta2 * v - c.take2", ORACLES),
    Bug(
        "eps before the bias correction",
        "rules/adam.py",
        "(sqrt(v) * c.unbias + c.eps), m, v\n\n    @staticmethod\n    def first",
        "((sqrt(v) + c.eps) * c.unbias), m, v\n\n    @staticmethod\n    def first",
        ORACLES,
    ),
    Bug(
        "bias correction one step off",
        "rules/adam.py",
        "1 / host_sqrt(1 - h.beta2**t)",
        "1 / host_sqrt(1 - h.beta2 ** (t + 1))",
        ORACLES,
    ),
    Bug("AMSGrad forgets its largest v", "rules/adam.py", "x = maximum(x, v)", "x = v", ORACLES),
    Bug("the compiled AdaGrad has no eps", "csrc/rules.generated.h", "t3 + c.eps", "t3", ENGINES),
    Bug(
        "a plan does not notice a moved weight",
        "engines/plan.py",
        "return grads if pieces.steady or addresses(weights) == self._addresses else None",
        "return grads",
        f"{CORE}test_plan.py",
    ),
    Bug(
        "a plan does not notice new state",
        "engines/states.py",
        "        State.changes += 1\n",
        "",
        f"{CORE}test_plan.py",
    ),
    Bug(
        "a plan does not notice a moved weight of a sparse gradient",
        "sparse/launch.py",
        " or owner.data_ptr() != self._address:",
        ":",
        f"{CORE}test_plan.py tests/sparse",
    ),
    Bug(
        "a change of hyper-parameters is not seen by rows that lag",
        "engines/plan.py",
        "            self._settings += 1\n",
        "            self._settings = 1\n",
        f"{CORE}test_plan.py tests/sparse",
    ),
    Bug(
        "an lr in a tensor is read once",
        "engines/plan.py",
        "self._seen = [] if _has_tensor(groups) else seen",
        "self._seen = seen",
        f"{CORE}test_plan.py tests/contract",
    ),
    Bug(
        "a gradient that comes back is not seen",
        "engines/plan.py",
        " or (self._absent and any(p.grad is not None for p in self._absent)):",
        ":",
        f"{CORE}test_plan.py",
    ),
    Bug(
        "clipping makes short gradients longer",
        "guards.py",
        "return 1.0 if factor >= 1.0 else factor",
        "return factor",
        "tests/guards/test_clip_norm.py",
    ),
    Bug(
        "random numbers do not depend on the step",
        "rounding/dice.py",
        "(self.step * 8 + self.operand + 1)",
        "(self.operand + 1)",
        f"{CORE}test_rounding.py {ENGINES}",
    ),
    Bug(
        "codes of another shape are loaded if they are as many",
        "checkpoint/loading.py",
        "                check_shape(found, shapes.get(key), p, expected)\n",
        "",
        "tests/checkpoint/test_formats.py",
    ),
    Bug(
        "a checkpoint shares memory with what loaded it",
        "checkpoint/states.py",
        "value.detach().to(p.device, copy=True)",
        "value.detach().to(p.device)",
        "tests/checkpoint/test_matching.py",
    ),
    Bug(
        "rows that lag take on new hyper-parameters",
        "sparse/table.py",
        "if h.beta1 != beta1 or h.beta2 != beta2 or h.eps != self.eps or step",
        "if step",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "a tensor's last short block is not stepped",
        "csrc/engine.h",
        "start + (left < by * ADAMAS_BLOCK ? left : by * ADAMAS_BLOCK)",
        "start + (left < by * ADAMAS_BLOCK ? 0 : by * ADAMAS_BLOCK)",
        ENGINES,
    ),
    Bug(
        "ties round up, not to even",
        "csrc/numbers.h",
        "0x7fffu + ((bits_of(x) >> 16) & 1u)",
        "0x8000u",
        f"{ENGINES} {CORE}test_rounding.py",
    ),
    Bug(
        "two elements get the same random bits",
        "csrc/numbers.h",
        "(index & 16u) ? x >> 16 : x & 0xffffu",
        "x & 0xffffu",
        ENGINES,
    ),
    Bug(
        "the last weights of a strip are rounded by the next one's numbers",
        "csrc/strips.h",
        "if (self.stochastic) rolls[0] = Rolls(self.key[0], first + uint32_t(at));",
        "if (self.stochastic) rolls[0] = Rolls(self.key[0], first + uint32_t(at) + kStrip);",
        ENGINES,
    ),
    Bug(
        "bits below a weight have the other sign",
        "csrc/split.h",
        "uint32_t(int32_t(low[i]) * unit)",
        "uint32_t(-int32_t(low[i]) * unit)",
        f"{CORE}test_split.py {BITS}",
    ),
    Bug(
        "a block's largest overlooks half of it",
        "csrc/units.h",
        "largest[1] = larger(Ints(x.high) & 0x7fffffff, largest[1]);",
        "",
        BITS,
    ),
    Bug(
        "codes of v round down",
        "csrc/int8.h",
        "return larger(k - up, smaller(Ints(y), Ints{} + 1));",
        "return larger(k, smaller(Ints(y), Ints{} + 1));",
        BITS,
    ),
    Bug(
        "codes of m are rounded to nearest from 10 on, where decays above 0.9 leave some",
        "csrc/int8.h",
        "constexpr float kSettled = 1024.0f;",
        "constexpr float kSettled = 100.0f;",
        f"{CORE}test_codes.py",
    ),
    Bug(
        "a norm leaves out a row's rest", "csrc/norms.h", "if (!left) return;", "return;", "tests/guards/test_norms.py"
    ),
    Bug(
        "a block between two threads is stepped by both",
        "csrc/library.cpp",
        "const int64_t begin = blocks * me / team, end",
        "const int64_t begin = blocks * me / team - (me > 0), end",
        f"{ENGINES} tests/faults/test_faults.py::test_more_threads_than_cores",
    ),
    Bug(
        "a row between two threads is stepped by neither",
        "csrc/dealing.h",
        "packed(begin_of(share), begin_of(share + 1)), std::memory_order_relaxed);",
        "packed(begin_of(share), begin_of(share + 1) - (share + 1 < shares_)), std::memory_order_relaxed);",
        "tests/sparse/test_dealing.py",
    ),
    Bug(
        "the last row that a thread takes of another's share is stepped by neither",
        "csrc/dealing.h",
        "return {first, first + n, first, first + n};",
        "return {first, first + n - !front, first, first + n};",
        "tests/sparse/test_dealing.py",
    ),
    Bug(
        "a step that is looked at rounds moments by the weight's random numbers",
        "csrc/looked.h",
        "rolls[1 + j] = Rolls(self.key[2 + j]",
        "rolls[1 + j] = Rolls(self.key[0]",
        "tests/doctor/test_statistics.py::test_looking_changes_no_bit",
    ),
    Bug(
        "where threads meet, a unit is looked at after its step",
        "csrc/library.cpp",
        "if (step && meets && reaches(tensor)) return take(*launch, at, at + 1);",
        "",
        "tests/doctor/test_statistics.py::test_units_that_reach_over_blocks",
    ),
    Bug(
        "a gradient is read 16 bytes at a time wherever it begins",
        "engines/triton.py",
        '"ALIGNED": part.aligned and even}',
        '"ALIGNED": part.aligned}',
        "tests/triton/test_engine.py",
    ),
    Bug(
        "missed steps are put together as one however near eps an element is",
        "sparse/catch_up.py",
        "spread = sums[:, 2] / first - mean * mean",
        "spread = mean - mean",
        "tests/sparse/test_table.py",
    ),
    Bug(
        "a row that is behind is caught up after its step",
        "csrc/sparse.h",
        "      lagging.catch_up(row);\n      r.lag->last[row]",
        "      r.lag->last[row]",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "a row in registers is stepped from where it was left",
        "csrc/sparse_registers.h",
        "if constexpr (kBefore != kCaughtUp) {",
        "if constexpr (false) {",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "rows that are read are moved by the series though they are near eps",
        "csrc/sparse_reads.h",
        "if (any_near_eps(base, at + done, r.length - done, what.least)) {",
        "if (false) {",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "a register that is near eps in the middle of a row is moved as if it were not",
        "csrc/sparse_registers.h",
        "if (kBefore == kClear && !all_at_least(square, what.clear)) return i;\n      catch_up",
        "catch_up",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "a row that is stopped at is caught up from its first element again",
        "csrc/sparse_registers.h",
        "r.row[stop.row], stop.element);",
        "r.row[stop.row], 0);",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "the rest of a row behind its whole registers is not stepped",
        "csrc/sparse_registers.h",
        "    if (left) step_rest",
        "    if (left < 0) step_rest",
        "tests/sparse/test_lazy.py",
    ),
    Bug(
        "the rest of a row is moved by the series though it is near eps",
        "csrc/sparse_registers.h",
        "    if (!any_near_eps(run.base, rest.row",
        "    if (left || !any_near_eps(run.base, rest.row",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "the last touched row is not stepped",
        "csrc/sparse_registers.h",
        "for (int64_t k = begin; k < end; ++k) {\n    const Offset row",
        "for (int64_t k = begin; k < end - 1; ++k) {\n    const Offset row",
        "tests/sparse/test_lazy.py tests/sparse/test_exact.py",
    ),
    Bug(
        "all rows of a group have missed what the first has",
        "csrc/sparse_group.h",
        "since[k] == known ? what[alike]",
        "known >= 0 ? what[alike]",
        "tests/sparse/test_exact.py",
    ),
    Bug(
        "rows with several entries all take the first sum",
        "csrc/sorting.h",
        "source_[rows] = int32_t(count_ + sums);",
        "source_[rows] = int32_t(count_);",
        "tests/sparse/test_merging.py",
    ),
    Bug(
        "the last sum before where threads meet is left out",
        "csrc/touch.cpp",
        "last = first_sum(turn.me + 1);",
        "last = first_sum(turn.me + 1) - (turn.me + 1 < turn.team);",
        "tests/sparse/test_merging.py",
    ),
    Bug(
        "rows are those of before if their first entries are",
        "csrc/touch.cpp",
        "for (; place < end; ++place) {\n      if",
        "for (; place < end; place = end) {\n      if",
        "tests/sparse/test_merging.py",
    ),
    Bug(
        "threads that sort number their sums without those of the threads before",
        "csrc/sorting.h",
        "      sums += part_[p].sums;\n",
        "",
        "tests/sparse/test_merging.py",
    ),
    Bug(
        "only the first thread looks for indices out of range",
        "csrc/sorting.h",
        "part < parts_; ++part) all = all &&",
        "part < 1; ++part) all = all &&",
        "tests/sparse/test_merging.py",
    ),
    Bug(
        "room of before is taken though it is too small for the entries",
        "sparse/merging.py",
        "if self._size < needed or",
        "if self._size < 8 or",
        "tests/sparse/test_merging.py",
    ),
    Bug(
        "in registers, sums are looked for behind the entries",
        "csrc/sparse_registers.h",
        "(source[k] < entries ? 0 : to_added)",
        "0",
        "tests/sparse/test_lazy.py",
    ),
    Bug(
        "a table forgets how much v has shrunk",
        "csrc/library.cpp",
        "  lag->power2[at] = lag->next[4];",
        "",
        "tests/sparse/test_table.py",
    ),
)
