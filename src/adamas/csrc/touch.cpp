// The rows of a sparse gradient: sorted, and those that are there more than once added up.
// sparse/merging.py has the same on tensors. Once for all instruction sets: it is bound by memory.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "adamas.h"

namespace {

#include "numbers.h"

// The digits that numbers of rows are sorted by, the lowest first.
struct Digits {
  int bits, passes;

  Digits(int64_t count, int64_t height) : bits(1) {
    while (bits < 31 && (height - 1) >> bits) ++bits;
    const int most = count < 1024 ? 8 : 12;  // 4096 counters stay in L1, and few rows are not worth clearing so many
    passes = (bits + most - 1) / most;
    bits = (bits + passes - 1) / passes;
  }

  int64_t buckets() const { return int64_t(1) << bits; }
  int64_t of(uint64_t row, int pass) const { return int64_t(row >> (pass * bits)) & (buckets() - 1); }
};

// Sort the numbers of rows in the upper halves of a's entries, with their places below, and leave equal ones in their order.
// at: for each pass a counter for each digit. Returns where the result is, a or b; nullptr and the place of an index out of
// range in bad.
uint64_t* sort_rows(int64_t count, const int64_t* index, int64_t height, const Digits& digits, uint64_t* a, uint64_t* b,
                    uint32_t* at, int64_t* bad) {
  memset(at, 0, size_t(digits.passes * digits.buckets()) * sizeof(uint32_t));
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t row = uint64_t(index[i]);
    if (row >= uint64_t(height)) {
      *bad = i;
      return nullptr;
    }
    a[i] = row << 32 | uint64_t(i);
    for (int pass = 0; pass < digits.passes; ++pass) ++at[pass * digits.buckets() + digits.of(row, pass)];
  }
  for (int pass = 0; pass < digits.passes; ++pass, at += digits.buckets()) {
    uint32_t sum = 0;
    for (int64_t k = 0; k < digits.buckets(); ++k) {
      const uint32_t here = at[k];
      at[k] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < count; ++i) b[at[digits.of(a[i] >> 32, pass)]++] = a[i];
    uint64_t* const swapped = a;
    a = b;
    b = swapped;
  }
  return a;
}

// Add rows order[0] .. order[n - 1] of values to zeros.
template <class T, class Read>
void add_rows(const int64_t* order, int64_t n, int64_t width, Read read, T* out) {
  for (int64_t i = 0; i < width; ++i) out[i] = T(0);
  for (int64_t k = 0; k < n; ++k) {
    const int64_t from = order[k] * width;
    for (int64_t i = 0; i < width; ++i) out[i] += T(read(from + i));
  }
}

template <class T>
void add_rows(const int64_t* order, int64_t n, int64_t width, const void* values, int32_t dtype, T* out) {
  const uint16_t* h = static_cast<const uint16_t*>(values);
  if (dtype == ADAMAS_BFLOAT16) {
    add_rows(order, n, width, [=](int64_t i) { return from_bfloat16(h[i]); }, out);
  } else if (dtype == ADAMAS_FLOAT16) {
    add_rows(order, n, width, [=](int64_t i) { return from_float16(h[i]); }, out);
  } else if (dtype == ADAMAS_FLOAT32) {
    add_rows(order, n, width, [=](int64_t i) { return static_cast<const float*>(values)[i]; }, out);
  } else {
    add_rows(order, n, width, [=](int64_t i) { return static_cast<const double*>(values)[i]; }, out);
  }
}

}  // namespace

int64_t adamas_touch(int64_t count, const int64_t* index, int64_t height, int64_t* row, int64_t* order, int64_t* first) {
  int64_t increasing = 0;
  for (int64_t before = -1; increasing < count; before = index[increasing++]) {
    if (index[increasing] <= before || index[increasing] >= height) break;
  }
  if (increasing == count) {
    if (count) memcpy(row, index, size_t(count) * sizeof(int64_t));  // of nothing, index may be null
    for (int64_t i = 0; i < count; ++i) order[i] = i;
    return count;
  }
  const Digits digits(count, height);
  const size_t entries = size_t(count) * sizeof(uint64_t), counters = size_t(digits.passes * digits.buckets()) * sizeof(uint32_t);
  uint64_t* const room = static_cast<uint64_t*>(malloc(2 * entries + counters));
  if (!room) return INT64_MIN;
  uint32_t* const at = reinterpret_cast<uint32_t*>(room + 2 * count);
  int64_t bad = 0, distinct = count;
  const uint64_t* const sorted = sort_rows(count, index, height, digits, room, room + count, at, &bad);
  if (!sorted) {
    free(room);
    return -1 - bad;
  }
  // Loops that are one after the other, as each of them is done in registers of several numbers.
  for (int64_t i = 1; i < count; ++i) distinct -= uint32_t(sorted[i] >> 32) == uint32_t(sorted[i - 1] >> 32);
  for (int64_t i = 0; i < count; ++i) order[i] = int64_t(sorted[i] & 0xffffffffu);
  if (distinct == count) {
    for (int64_t i = 0; i < count; ++i) row[i] = int64_t(sorted[i] >> 32);
  } else {
    int64_t k = -1;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t each = int64_t(sorted[i] >> 32);
      if (k >= 0 && row[k] == each) continue;
      row[++k] = each;
      first[k] = i;
    }
    first[distinct] = count;
  }
  free(room);
  return distinct;
}

void adamas_merge(int64_t distinct, const int64_t* first, const int64_t* order, const void* values, int32_t dtype,
                  int32_t compute, int64_t width, int32_t threads, void* out) {
#if defined(_OPENMP)
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && first[distinct] * width >= 8 * ADAMAS_BLOCK)
#else
  (void)threads;
#endif
  for (int64_t k = 0; k < distinct; ++k) {
    const int64_t* const from = order + first[k];
    const int64_t n = first[k + 1] - first[k];
    if (compute == ADAMAS_FLOAT64) {
      add_rows(from, n, width, values, dtype, static_cast<double*>(out) + k * width);
    } else {
      add_rows(from, n, width, values, dtype, static_cast<float*>(out) + k * width);
    }
  }
}
