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

constexpr int kDigit = 11;  // bits a pass sorts by: 2048 counters stay in L1
constexpr int64_t kBuckets = int64_t(1) << kDigit;

// Sort by the upper half of each entry, and leave equal ones in their order. Returns where the result is: a or b.
uint64_t* sort_upper(uint64_t* a, uint64_t* b, int64_t n, uint64_t largest) {
  for (int shift = 32; largest; shift += kDigit, largest >>= kDigit) {
    int64_t at[kBuckets] = {};
    for (int64_t i = 0; i < n; ++i) ++at[(a[i] >> shift) & (kBuckets - 1)];
    int64_t sum = 0;
    for (int64_t& each : at) {
      const int64_t here = each;
      each = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i) b[at[(a[i] >> shift) & (kBuckets - 1)]++] = a[i];
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
  bool increasing = true;
  int64_t before = -1;
  for (int64_t i = 0; i < count; ++i) {
    if (index[i] < 0 || index[i] >= height) return -1 - i;
    increasing = increasing && index[i] > before;
    before = index[i];
  }
  if (increasing) {
    if (count) memcpy(row, index, size_t(count) * sizeof(int64_t));  // of nothing, index may be null
    for (int64_t i = 0; i < count; ++i) order[i] = i;
    return count;
  }
  uint64_t* const room = static_cast<uint64_t*>(malloc(size_t(count) * 2 * sizeof(uint64_t)));
  if (!room) return INT64_MIN;
  for (int64_t i = 0; i < count; ++i) room[i] = uint64_t(index[i]) << 32 | uint64_t(i);
  const uint64_t* sorted = sort_upper(room, room + count, count, uint64_t(height - 1));
  int64_t distinct = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t each = int64_t(sorted[i] >> 32);
    order[i] = int64_t(sorted[i] & 0xffffffffu);
    if (distinct && row[distinct - 1] == each) continue;
    first[distinct] = i;
    row[distinct++] = each;
  }
  first[distinct] = count;
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
