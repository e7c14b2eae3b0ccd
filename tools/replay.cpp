// Runs launches of the CPU engine that were written to a file, on whatever machine this is compiled for.
//
// tools/check_arm.py writes the file on one machine; this program, cross-compiled and run under qemu-user, reads it,
// calls the library and writes what it changed back. Everything is little-endian: words of 8 bytes, then raw memory.
//
//   replay INPUT OUTPUT

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "adamas.h"

namespace {

FILE* input;

void read_bytes(void* to, size_t bytes) {
  if (bytes && fread(to, 1, bytes, input) != bytes) {
    fprintf(stderr, "replay: the input ends too early\n");
    exit(2);
  }
}

template <class T>
std::vector<T> read_array(size_t count) {
  std::vector<T> values(count);
  read_bytes(values.data(), count * sizeof(T));
  return values;
}

int64_t read_word() {
  int64_t word;
  read_bytes(&word, 8);
  return word;
}

// Memory that is there or not: its size first, -1 if it is not.
struct Given {
  bool there = false;
  std::vector<char> bytes;

  void read() {
    const int64_t size = read_word();
    there = size >= 0;
    if (there) bytes = read_array<char>(size_t(size));
  }
  template <class T>
  T* data() {
    return there ? reinterpret_cast<T*>(bytes.data()) : nullptr;
  }
};

// Some rows, and how far they lag.
struct Some {
  Given row, source, values, added, scalars, last, sums, half2;
  std::vector<double> by_step[5];
  AdamasLag lag = {};
  AdamasRows rows = {};

  void read(const AdamasLaunch& launch) {
    rows.launch = &launch;
    rows.length = read_word();
    rows.count = read_word();
    rows.entries = read_word();
    rows.dtype = int32_t(read_word());
    rows.together = int32_t(rows.count % 2);
    for (Given* each : {&row, &source, &values, &added, &scalars}) each->read();
    rows.row = row.data<int32_t>();
    rows.source = source.data<int32_t>();
    rows.values = values.data<char>();
    rows.added = added.data<char>();
    rows.scalars = scalars.data<int32_t>();
    if (read_word()) read_lag();
  }

 private:
  void read_lag() {
    lag.start = read_word();
    lag.now = read_word();
    lag.reach = read_word();
    lag.constant = int32_t(read_word());
    read_bytes(&lag.eps, 8);
    read_bytes(&lag.tolerance, 8);
    for (Given* each : {&last, &sums, &half2}) each->read();
    for (auto& each : by_step) each = read_array<double>(size_t(lag.now - lag.start + 1));
    lag.last = last.data<int32_t>();
    lag.sums = sums.data<double>();
    lag.half2 = half2.data<double>();
    lag.kept = by_step[0].data();
    lag.rate = by_step[1].data();
    lag.unbias = by_step[2].data();
    lag.power1 = by_step[3].data();
    lag.power2 = by_step[4].data();
    rows.lag = &lag;
  }
};

enum What { kStep, kLook, kRows, kCatchUp };

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !(input = fopen(argv[1], "rb"))) {
    fprintf(stderr, "usage: replay INPUT OUTPUT\n");
    return 2;
  }
  const int64_t what = read_word();
  AdamasLaunch launch = {};
  launch.rule = int32_t(read_word());
  launch.compute = int32_t(read_word());
  for (int32_t& dtype : launch.dtype) dtype = int32_t(read_word());
  launch.rounding = int32_t(read_word());
  launch.threads = int32_t(read_word());
  launch.scalars_per_row = int32_t(read_word());
  launch.tensors = read_word();
  const size_t n = size_t(launch.tensors), rows = size_t(read_word());
  const auto numel = read_array<int64_t>(n);
  const auto first_block = read_array<int64_t>(n + 1);
  const auto row = read_array<int32_t>(n);
  const auto stream = read_array<uint64_t>(n);
  const auto step = read_array<double>(n);
  const auto scalars = read_array<double>(rows * size_t(launch.scalars_per_row));
  const auto row_length = read_array<int64_t>(read_word() ? n : 0);

  std::vector<AdamasLayout> layouts(n);
  std::vector<const AdamasLayout*> layout(n);
  constexpr int kMemories = ADAMAS_MAX_OPERANDS + ADAMAS_MAX_SLOTS;  // operands, then the slots' scales
  std::vector<std::vector<char>> memory[kMemories];
  std::vector<void*> operand[kMemories];
  for (size_t i = 0; i < n; ++i) {
    if (read_word()) {
      read_bytes(&layouts[i], sizeof(AdamasLayout));
      layout[i] = &layouts[i];
    }
    for (int k = 0; k < kMemories; ++k) memory[k].push_back(read_array<char>(size_t(read_word())));
  }
  for (int k = 0; k < kMemories; ++k) {
    for (auto& bytes : memory[k]) operand[k].push_back(bytes.data());
    (k < ADAMAS_MAX_OPERANDS ? launch.operand[k] : launch.scale[k - ADAMAS_MAX_OPERANDS]) = operand[k].data();
  }
  if (!row_length.empty()) launch.row_length = row_length.data();
  launch.numel = numel.data();
  launch.first_block = first_block.data();
  launch.layout = layout.data();
  launch.row = row.data();
  launch.scalars = scalars.data();
  launch.stream = stream.data();
  launch.step = step.data();
  fprintf(stderr, "%s\n", adamas_isa());
  std::vector<double> numbers;
  Some some;
  int64_t behind = 0;
  if (what == kLook) {
    const int32_t step = int32_t(read_word());
    const auto limits = read_array<double>(rows * 4);
    std::vector<double> partial(size_t(first_block[n]) * ADAMAS_STATISTICS);
    numbers.resize(n * ADAMAS_STATISTICS);
    if (adamas_statistics(&launch, limits.data(), step, partial.data(), numbers.data()) != 0) return 1;
  } else if (what == kStep) {
    if (adamas_step(&launch) != 0) return 1;
  } else {
    some.read(launch);
    if (what == kRows && adamas_step_rows(&some.rows) != 0) return 1;
    if (what == kCatchUp && (behind = adamas_catch_up(&some.rows)) < 0) return 1;
  }

  FILE* output = fopen(argv[2], "wb");
  if (!output) return 2;
  for (size_t i = 0; i < n; ++i) {
    for (auto& operands : memory) fwrite(operands[i].data(), 1, operands[i].size(), output);
  }
  fwrite(numbers.data(), sizeof(double), numbers.size(), output);
  fwrite(some.last.bytes.data(), 1, some.last.bytes.size(), output);
  if (what == kCatchUp) fwrite(&behind, sizeof behind, 1, output);
  return fclose(output) ? 2 : 0;
}
