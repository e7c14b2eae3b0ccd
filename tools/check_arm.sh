#!/usr/bin/env bash
# Cross-compiles the C++ engine for 64-bit ARM (NEON) and runs the catalogue of engine tests on it under qemu-user.
# Needs Debian's g++-aarch64-linux-gnu and qemu-user.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null || {
    echo "check-arm needs $tool: apt-get install g++-aarch64-linux-gnu qemu-user" >&2
    exit 2
  }
done
mkdir -p build/arm
aarch64-linux-gnu-g++ -std=c++20 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -static \
  -Isrc/adamas/csrc tools/replay.cpp src/adamas/csrc/library.cpp src/adamas/csrc/isa_baseline.cpp -o build/arm/replay
exec "$python" tools/check_arm.py qemu-aarch64 build/arm/replay
