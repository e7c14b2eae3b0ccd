#!/usr/bin/env bash
# Calls the C ABI with random arguments (tools/fuzz/calls.cpp): under ASan and UBSan, beside the same calls on the plain
# build, whose results must have the same bits; then under TSan, with OpenMP's teams by std::thread (tools/fuzz/team.cpp).
#
#   tools/fuzz.sh CALLS THREADED_CALLS [SEED]
#
# Calls are made in pieces of 10 000, each from the next seed. A piece that ended well is kept in build/fuzz/kept and not
# run again until the code changes: after Ctrl-C the same command goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} cxx=${CXX:-g++}
calls=$1 threaded=$2 seed=${3:-1}
out=$PWD/build/fuzz
mkdir -p "$out"
flags="-std=c++20 -ffp-contract=off -fno-math-errno -fno-trapping-math -Isrc/adamas/csrc -Itools/fuzz"

# One build of the calls for each build of the library.
link_with() { # NAME LIBRARY FLAGS...
  local name=$1 folder
  folder=$(cd "$(dirname "$2")" && pwd)
  shift 2
  $cxx $flags "$@" tools/fuzz/calls.cpp -o "$out/$name" -L"$folder" -ladamas "-Wl,-rpath,$folder"
}
cmake -S . -B build/sanitize -DCMAKE_BUILD_TYPE=Release -DADAMAS_SANITIZE=ON >/dev/null
cmake --build build/sanitize --parallel 2 >/dev/null
installed=$("$python" -c "from adamas.engines import library; print(library.find())")
link_with plain "$installed" -O2 &
link_with addresses build/sanitize/libadamas.so -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
wait $!

# One instruction set: how work is shared out is the same for all.
build_threads() {
  local file object
  for file in src/adamas/csrc/{library,touch,isa_baseline}.cpp tools/fuzz/{calls,team}.cpp; do
    object=$out/$(basename "$file" .cpp).o
    [ "$object" -nt "$file" ] && [ "$(find src/adamas/csrc tools/fuzz -newer "$object" | wc -l)" = 0 ] && continue
    $cxx $flags -w -O1 -g1 -fsanitize=thread -fopenmp -c "$file" -o "$object"
  done
}

[ "$threaded" = 0 ] || build_threads & # a minute, beside the calls
threads=$!

export OMP_WAIT_POLICY=passive
built=$(cat "$out/plain" "$out/addresses" "$installed" build/sanitize/libadamas.so | sha256sum | cut -c 1-16)
kept=$out/kept/$built
mkdir -p "$kept"

piece() { # SEED CALLS
  local piece=$kept/$1-$2
  [ -e "$piece" ] || {
    "$out/plain" "$1" "$2" >"$out/plain.out" &
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$out/addresses" "$1" "$2" >"$out/addresses.out"
    wait $!
    cmp "$out/plain.out" "$out/addresses.out" || {
      echo "fuzz: seed $1: the plain build gives other results: $(cat "$out/plain.out")" >&2
      exit 1
    }
    mv "$out/addresses.out" "$piece"
  }
  echo "seed $1: $(cat "$piece")"
}
for ((made = 0; made < calls; made += 10000)); do
  left=$((calls - made))
  piece "$((seed + made / 10000))" "$((left < 10000 ? left : 10000))"
done
[ "$threaded" -gt 0 ] || exit 0

wait "$threads"
$cxx -fsanitize=thread "$out"/{library,touch,isa_baseline,calls,team}.o -o "$out/threads" -lpthread # without -fopenmp: no libgomp
TSAN_OPTIONS=halt_on_error=1 "$out/threads" "$seed" "$threaded"
echo "fuzz: no error"
