// The rows of a sparse gradient: sorted, and those that are there more than once added up.
// sparse/merging.py has the same on tensors. Once for all instruction sets: it is bound by memory.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "adamas.h"

namespace {

#include "numbers.h"

// The digits that numbers of rows are sorted by, the lowest first.
struct Digits {
  static constexpr int64_t kMost = 8192;  // counters in all: 3 x 2^11, 2 x 2^12, 4 x 2^8

  int bits, passes;

  Digits(int64_t count, int64_t height) : bits(1) {
    while (bits < 31 && (height - 1) >> bits) ++bits;
    const int most = count < 1024 ? 8 : 12;  // 4096 counters stay in L1, and few rows are not worth clearing so many
    passes = (bits + most - 1) / most;
    bits = (bits + passes - 1) / passes;
  }

  int64_t buckets() const { return int64_t(1) << bits; }
};

// What sort_rows leaves: the number of a row, and the place of its entry.
inline int64_t row_in(uint64_t sorted) { return int64_t(sorted >> 32); }
inline int64_t place_in(uint64_t sorted) { return int64_t(sorted & 0xffffffffu); }

// Sort entries by one digit; equal ones stay in their order. at: a counter for each digit.
void sort_by_digit(int64_t count, const uint64_t* from, uint64_t* to, int shift, int64_t buckets, uint32_t* at) {
  const uint64_t mask = uint64_t(buckets - 1);
  memset(at, 0, size_t(buckets) * sizeof(uint32_t));
  for (int64_t i = 0; i < count; ++i) ++at[from[i] >> shift & mask];
  uint32_t sum = 0;
  for (int64_t k = 0; k < buckets; ++k) {
    const uint32_t here = at[k];
    at[k] = sum;
    sum += here;
  }
  for (int64_t i = 0; i < count; ++i) to[at[from[i] >> shift & mask]++] = from[i];
}

// Sort the numbers of rows in the upper halves of a's entries, with their places below, and leave equal ones in their order.
// Returns where the result is, a or b; nullptr and the place of an index out of range in bad.
uint64_t* sort_rows(int64_t count, const int64_t* index, int64_t height, const Digits& digits, uint64_t* a, uint64_t* b,
                    int64_t* bad) {
  uint64_t highest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t row = uint64_t(index[i]);
    highest = row > highest ? row : highest;
    a[i] = row << 32 | uint64_t(i);
  }
  if (highest >= uint64_t(height)) {
    for (*bad = 0; uint64_t(index[*bad]) < uint64_t(height);) ++*bad;
    return nullptr;
  }
  uint32_t at[Digits::kMost];
  for (int pass = 0; pass < digits.passes; ++pass) {
    sort_by_digit(count, a, b, 32 + pass * digits.bits, digits.buckets(), at);
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

int64_t adamas_touch(int64_t count, const int64_t* index, int64_t height, int64_t* room) {
  int64_t *const row = room, *const source = row + count, *const order = source + count, *const ends = order + count;
  int64_t& sums = ends[count];
  sums = 0;
  int64_t increasing = 0;
  for (int64_t before = -1; increasing < count; before = index[increasing++]) {
    if (index[increasing] <= before || index[increasing] >= height) break;
  }
  if (increasing == count) {
    if (count) memcpy(row, index, size_t(count) * sizeof(int64_t));  // of nothing, index may be null
    for (int64_t i = 0; i < count; ++i) source[i] = i;
    return count;
  }
  const Digits digits(count, height);
  int64_t bad = 0;
  const uint64_t* const sorted = sort_rows(count, index, height, digits, reinterpret_cast<uint64_t*>(order),
                                           reinterpret_cast<uint64_t*>(ends), &bad);
  if (!sorted) return -1 - bad;
  // What is written lies over what is sorted, but never over what is still to be read: of i entries that were read, at most i
  // have their place in order, and at most i ends are written, as each sum has two entries and more.
  int64_t distinct = 0;
  for (int64_t i = 0, n = 0; i < count; ++distinct) {
    const int64_t each = row_in(sorted[i]), place = place_in(sorted[i]);
    row[distinct] = each;
    source[distinct] = place;
    if (++i == count || row_in(sorted[i]) != each) continue;
    source[distinct] = count + sums;
    ends[2 * sums] = n;
    for (order[n++] = place; i < count && row_in(sorted[i]) == each; ++i) order[n++] = place_in(sorted[i]);
    ends[2 * sums++ + 1] = n;
  }
  return distinct;
}

void adamas_merge(int64_t count, const int64_t* room, const void* values, int32_t dtype, int32_t compute, int64_t width,
                  int32_t threads, void* out) {
  const int64_t *const order = room + 2 * count, *const ends = order + count, sums = ends[count];
#if defined(_OPENMP)
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && sums * width >= 8 * ADAMAS_BLOCK)
#else
  (void)threads;
#endif
  for (int64_t k = 0; k < sums; ++k) {
    const int64_t* const from = order + ends[2 * k];
    const int64_t n = ends[2 * k + 1] - ends[2 * k];
    if (compute == ADAMAS_FLOAT64) {
      add_rows(from, n, width, values, dtype, static_cast<double*>(out) + k * width);
    } else {
      add_rows(from, n, width, values, dtype, static_cast<float*>(out) + k * width);
    }
  }
}
