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

// Which thread this is, of how many.
struct Turn {
  int me, team;
};

Turn my_turn() {
#if defined(_OPENMP)
  return {omp_get_thread_num(), omp_get_num_threads()};
#else
  return {0, 1};
#endif
}

// What each thread of a team does to sort; the one that takes the last part says how many rows there are.
void take_parts(Sort& sort, int64_t* rows) {
  const auto [me, team] = my_turn();
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

// Rows of values that are added up, and how many of them to ask for ahead: they are anywhere.
constexpr int64_t kEntriesAhead = 8;
constexpr int64_t kMostAsked = 1024;  // bytes of each: the hardware finds what comes behind

struct Entries {
  const void* values;
  int32_t dtype;
  int64_t width;
  const int32_t* end;  // of the places of all that are to be added up

  void ask_after(const int32_t* place) const {
    if (place + kEntriesAhead >= end) return;
    const int64_t bytes = width * width_of(dtype);
    const char* const row = static_cast<const char*>(values) + place[kEntriesAhead] * bytes;
    for (int64_t at = 0; at < bytes && at < kMostAsked; at += 64) __builtin_prefetch(row + at, 0, 3);
  }

  // Add the rows at n places to zeros.
  template <class T, class Read>
  void add(const int32_t* place, int64_t n, Read read, T* out) const {
    for (int64_t i = 0; i < width; ++i) out[i] = T(0);
    for (int64_t k = 0; k < n; ++k) {
      ask_after(place + k);
      const int64_t from = int64_t(place[k]) * width;
      for (int64_t i = 0; i < width; ++i) out[i] += T(read(from + i));
    }
  }

  template <class T>
  void add(const int32_t* place, int64_t n, T* out) const {
    const uint16_t* h = static_cast<const uint16_t*>(values);
    if (dtype == ADAMAS_BFLOAT16) {
      add(place, n, [=](int64_t i) { return from_bfloat16(h[i]); }, out);
    } else if (dtype == ADAMAS_FLOAT16) {
      add(place, n, [=](int64_t i) { return from_float16(h[i]); }, out);
    } else if (dtype == ADAMAS_FLOAT32) {
      add(place, n, [v = static_cast<const float*>(values)](int64_t i) { return v[i]; }, out);
    } else {
      add(place, n, [v = static_cast<const double*>(values)](int64_t i) { return v[i]; }, out);
    }
  }
};

// Whether the rows in room, of as many entries, are those of an index: all its places are there, and have the row they had.
bool fits(int64_t count, const int64_t* index, int64_t known, const int32_t* room) {
  const int32_t *const row = room, *const source = row + count, *const order = source + count, *const ends = order + count;
  for (int64_t k = 0; k < known; ++k) {
    const int64_t sum = source[k] - count;
    const int32_t* place = sum < 0 ? source + k : order + ends[2 * sum];
    const int32_t* const end = sum < 0 ? place + 1 : order + ends[2 * sum + 1];
    for (; place < end; ++place) {
      if (index[*place] != row[k]) return false;
    }
  }
  return true;
}

}  // namespace

int64_t adamas_touch(int64_t count, const int64_t* index, int64_t height, int32_t threads, int64_t known, int32_t* room) {
  if (known > 0 && fits(count, index, known, room)) return known;
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
  const int64_t sums = ends[count], n = sums ? ends[2 * sums - 1] : 0;
  const Entries entries = {values, dtype, width, order + n};
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads) if (threads > 1 && n * width >= 8 * ADAMAS_BLOCK)
#endif
  {
    const Turn turn = my_turn();  // sums differ in how many entries they have: each thread takes as many entries
    const auto first_sum = [=](int me) {
      return first_from(n * me / turn.team, sums, [=](int64_t k) { return int64_t(ends[2 * k]); });
    };
    const int64_t last = first_sum(turn.me + 1);
    for (int64_t k = first_sum(turn.me); k < last; ++k) {
      const int32_t* const place = order + ends[2 * k];
      const int64_t several = ends[2 * k + 1] - ends[2 * k];
      if (compute == ADAMAS_FLOAT64) {
        entries.add(place, several, static_cast<double*>(out) + k * width);
      } else {
        entries.add(place, several, static_cast<float*>(out) + k * width);
      }
    }
  }
}
