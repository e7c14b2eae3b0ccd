#!/usr/bin/env bash
# Calls the C ABI with random arguments (tools/fuzz/calls.cpp): under ASan and UBSan, beside the same calls on the plain
# build, whose results must have the same bits; then under TSan, with OpenMP's teams by std::thread (tools/fuzz/team.cpp).
#
#   tools/fuzz.sh CALLS THREADED_CALLS [SEED]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} cxx=${CXX:-g++}
calls=$1 threaded=$2 seed=${3:-1}
mkdir -p build/fuzz
flags="-std=c++20 -ffp-contract=off -fno-math-errno -fno-trapping-math -Isrc/adamas/csrc -Itools/fuzz"

# One build of the calls for each build of the library.
link_with() { # NAME LIBRARY FLAGS...
  local name=$1 folder
  folder=$(cd "$(dirname "$2")" && pwd)
  shift 2
  $cxx $flags "$@" tools/fuzz/calls.cpp -o "build/fuzz/$name" -L"$folder" -ladamas "-Wl,-rpath,$folder"
}
cmake -S . -B build/sanitize -DCMAKE_BUILD_TYPE=Release -DADAMAS_SANITIZE=ON >/dev/null
cmake --build build/sanitize --parallel 2 >/dev/null
installed=$("$python" -c "from adamas.engines import library; print(library.find())")
link_with plain "$installed" -O2 &
link_with addresses build/sanitize/libadamas.so -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
wait $!

export OMP_WAIT_POLICY=passive
build/fuzz/plain "$seed" "$calls" >build/fuzz/plain.out &
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 build/fuzz/addresses "$seed" "$calls" | tee build/fuzz/addresses.out
wait $!
cmp build/fuzz/plain.out build/fuzz/addresses.out || {
  echo "fuzz: the plain build gives other results: $(cat build/fuzz/plain.out)" >&2
  exit 1
}
[ "$threaded" -gt 0 ] || exit 0

# One instruction set: how work is shared out is the same for all.
objects=()
for file in src/adamas/csrc/{library,touch,isa_baseline}.cpp tools/fuzz/{calls,team}.cpp; do
  object=build/fuzz/$(basename "$file" .cpp).o
  objects+=("$object")
  [ "$object" -nt "$file" ] && [ "$(find src/adamas/csrc tools/fuzz -newer "$object" | wc -l)" = 0 ] && continue
  $cxx $flags -w -O1 -g1 -fsanitize=thread -fopenmp -c "$file" -o "$object"
done
$cxx -fsanitize=thread "${objects[@]}" -o build/fuzz/threads -lpthread # without -fopenmp: no libgomp
TSAN_OPTIONS=halt_on_error=1 build/fuzz/threads "$seed" "$threaded"
echo "fuzz: no error"
