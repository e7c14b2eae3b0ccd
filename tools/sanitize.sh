#!/usr/bin/env bash
# Builds the C++ library with ASan and UBSan and runs the kernel tests on it.
# The sanitizers' runtime must come before Python in the process: LD_PRELOAD. Python itself is not leak-clean.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
build=build/sanitize
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DADAMAS_SANITIZE=ON >/dev/null
cmake --build "$build" --parallel 2 >/dev/null
runtime="$(${CXX:-g++} -print-file-name=libasan.so):$(${CXX:-g++} -print-file-name=libubsan.so)"
# The first line proves that the instrumented library is the one that runs.
env LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
  ADAMAS_LIBRARY="$PWD/$build" OMP_NUM_THREADS=2 \
  "$python" -c "from adamas.engines import library; path = library.find(); print('testing', path); assert 'sanitize' in str(path); assert library.load()"
logs=$(mktemp -d)
for isa in avx512 avx2 baseline; do
  # Tests that go through all instruction sets themselves are run once.
  chosen=()
  [ "$isa" = avx512 ] || chosen=(-k "not avx512 and not avx2 and not baseline")
  env LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    ADAMAS_LIBRARY="$PWD/$build" ADAMAS_ISA="$isa" OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive \
    "$python" -W "ignore:ADAMAS_ISA" -m pytest -q -p no:cacheprovider tests/core/test_engines.py tests/core/test_rounding.py \
    tests/guards/test_norms.py tests/guards/test_clip_update.py tests/doctor/test_statistics.py \
    tests/core/test_few_bits.py::test_every_rounding tests/core/test_few_bits.py::test_layouts \
    tests/core/test_few_bits.py::test_every_tail tests/core/test_few_bits.py::test_clipped_updates \
    tests/sparse/test_merging.py tests/sparse/test_lazy.py::test_engines_agree \
    tests/sparse/test_lazy.py::test_engines_agree_in_few_bits tests/sparse/test_lazy.py::test_any_number_of_threads \
    tests/sparse/test_lazy.py::test_more_sparse_dimensions tests/sparse/test_exact.py::test_engines_agree \
    tests/sparse/test_exact.py::test_engines_agree_in_sixteen_bits tests/sparse/test_exact.py::test_squares_that_vanish \
    -W "ignore:ADAMAS_ISA" --deselect tests/core/test_engines.py::test_every_instruction_set "${chosen[@]}" \
    >"$logs/$isa" 2>&1 &
done
failed=0
for job in $(jobs -p); do wait "$job" || failed=1; done
tail -n +1 "$logs"/*
rm -r "$logs"
[ "$failed" = 0 ]
echo "sanitize: no error in the kernels on any instruction set of this CPU"
