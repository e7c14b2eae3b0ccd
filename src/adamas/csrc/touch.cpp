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

#include "sorting.h"

// What each thread of a team does to sort; the one that takes the last part says how many rows there are.
void take_parts(Sort& sort, int64_t* rows) {
#if defined(_OPENMP)
  const int me = omp_get_thread_num(), team = omp_get_num_threads();
#else
  const int me = 0, team = 1;
#endif
  for (int part = me; part < sort.parts(); part += team) sort.count_digits(part);
#if defined(_OPENMP)
#pragma omp barrier
#endif
  if (!sort.in_range()) return;
  for (int part = me; part < sort.parts(); part += team) sort.sort(part);
#if defined(_OPENMP)
#pragma omp barrier
#endif
  for (int part = me; part < sort.parts(); part += team) {
    const int64_t so_far = sort.write(part);
    if (part + 1 == sort.parts()) *rows = so_far;
  }
}

// Add rows order[0] .. order[n - 1] of values to zeros.
template <class T, class Read>
void add_rows(const int32_t* order, int64_t n, int64_t width, Read read, T* out) {
  for (int64_t i = 0; i < width; ++i) out[i] = T(0);
  for (int64_t k = 0; k < n; ++k) {
    const int64_t from = int64_t(order[k]) * width;
    for (int64_t i = 0; i < width; ++i) out[i] += T(read(from + i));
  }
}

template <class T>
void add_rows(const int32_t* order, int64_t n, int64_t width, const void* values, int32_t dtype, T* out) {
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

int64_t adamas_touch(int64_t count, const int64_t* index, int64_t height, int32_t threads, int32_t* room) {
  int64_t increasing = 0;
  for (int64_t before = -1; increasing < count; before = index[increasing++]) {
    if (index[increasing] <= before || index[increasing] >= height) break;
  }
  if (increasing == count) {
    for (int64_t i = 0; i < count; ++i) {
      room[i] = int32_t(index[i]);
      room[count + i] = int32_t(i);
    }
    room[4 * count] = 0;
    return count;
  }
  Sort sort(count, index, height, threads, room);
  int64_t rows = 0;
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads) if (sort.parts() > 1)
#endif
  take_parts(sort, &rows);
  if (!sort.in_range()) {
    for (rows = 0; uint64_t(index[rows]) < uint64_t(height);) ++rows;
    return -1 - rows;
  }
  return rows;
}

void adamas_merge(int64_t count, const int32_t* room, const void* values, int32_t dtype, int32_t compute, int64_t width,
                  int32_t threads, void* out) {
  const int32_t *const order = room + 2 * count, *const ends = order + count;
  const int64_t sums = ends[count];
#if defined(_OPENMP)
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && sums * width >= 8 * ADAMAS_BLOCK)
#else
  (void)threads;
#endif
  for (int64_t k = 0; k < sums; ++k) {
    const int32_t* const from = order + ends[2 * k];
    const int64_t n = ends[2 * k + 1] - ends[2 * k];
    if (compute == ADAMAS_FLOAT64) {
      add_rows(from, n, width, values, dtype, static_cast<double*>(out) + k * width);
    } else {
      add_rows(from, n, width, values, dtype, static_cast<float*>(out) + k * width);
    }
  }
}
