// Sparse gradients: the touched rows of one tensor are caught up with the dense optimizer, if they lag, and stepped.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
// sparse/catch_up.py has the same arithmetic on tensors, and must be matched to the bit.

#include "sparse_ahead.h"

// The sums of one birth, as csrc/adamas.h has them.
constexpr int kTerms = ADAMAS_SUMS - 1;

// ---- catching up ---------------------------------------------------------------------------------------------------

// What a row has missed: see sparse/table.py and sparse/catch_up.py.
template <class T>
struct Missed {
  T keep, power1, power2;
  T total, shift;  // all steps as one
  T clear;         // the least square that these are good for
};

template <class T>
static inline Missed<T> missed(const AdamasLag& lag, int64_t birth) {
  const int64_t now = lag.now - lag.start;
  const double* sums = lag.sums + birth * ADAMAS_SUMS;
  const double least = sizeof(T) == 4 ? double(__FLT_MIN__) : __DBL_MIN__;
  Missed<T> what = {T(lag.kept[now] / lag.kept[birth]), T(lag.power1[now - birth]), T(lag.power2[now - birth]), T(0), T(0),
                    T(least)};
  if (sums[0] == 0.0) return what;
  const double mean = sums[1] / sums[0], spread = sums[2] / sums[0] - mean * mean;
  const double clear = ((lag.eps * lag.eps) / lag.tolerance) * spread;
  what.total = T(sums[0] * lag.kept[now]);
  what.shift = T(lag.eps * mean);
  if (!(clear <= least)) what.clear = T(clear);
  return what;
}

// The same, with the series for elements that are not clear of eps.
template <class T>
struct Expanded : Missed<T> {
  T eps, p[kTerms];
  T least;  // the least square that any of these is good for
};

template <class T>
static inline Expanded<T> expanded(const AdamasLag& lag, int64_t birth, const Missed<T>& what) {
  const double* sums = lag.sums + birth * ADAMAS_SUMS;
  Expanded<T> more = {what, T(lag.eps), {}, T(0)};
  if (sums[0] != 0.0) more.least = T((lag.eps * lag.eps) * root(sums[kTerms] / (lag.tolerance * sums[0])));
  if (what.clear < more.least) more.least = what.clear;
  for (int n = 0; n < kTerms; ++n) more.p[n] = T(sums[n] * lag.kept[lag.now - lag.start]);
  return more;
}

// Whether an element is too near eps for the series; of T or registers of it.
template <class T>
static inline auto is_far(const T m, const T square, const T least) {
  const T zero = constant<T>(0.0);
  return ((!(square >= least)) & ((square != zero) | (m != zero))) | ((square == zero) & (m != zero));
}

template <class T>
static bool any_far(int64_t n, const T* m, const T* square, T least) {
  int32_t far = 0;
#pragma omp simd reduction(| : far)
  for (int64_t i = 0; i < n; ++i) far |= int32_t(is_far(m[i], square[i], least));
  return far != 0;
}

// The movements of n elements step by step, the smallest first.
template <class T>
static void add_steps(const AdamasLag& lag, int64_t birth, int64_t n, const T* m, const T* square, T* sum) {
  const int64_t now = lag.now - lag.start, most = now - birth < lag.reach ? now - birth : lag.reach;
  const T eps = T(lag.eps);
  alignas(64) T r[kChunk];
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    r[i] = root(square[i]);
    sum[i] = T(0);
  }
  for (int64_t j = most; j > 0; --j) {
    const T a = T(lag.rate[birth + j] * lag.power1[j] * (lag.kept[now] / lag.kept[birth + j]));
    const T b = T(lag.unbias[birth + j] * lag.half2[j]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) sum[i] += (a * m[i]) / (r[i] * b + eps);
  }
}

// How far an element with these moments moves that is clear of eps; of T or registers of it.
template <class T>
static inline T moved(const Missed<T>& what, const T m, const T square) {
  return (what.total * m) / (root(square) + what.shift);
}

// The same of any that is not far.
template <class T>
static inline T moved(const Expanded<T>& what, const T m, const T square) {
  const T zero = constant<T>(0.0), one = constant<T>(1.0), r = root(square);
  const auto live = r > zero;
  const T inverse = one / (live ? r : one), u = live ? m * inverse : zero, e = live ? what.eps * inverse : zero;
  T total = what.p[2] - e * what.p[3];
  total = what.p[1] - e * total;
  total = what.p[0] - e * total;
  const T as_one = (what.total * m) / (r + what.shift);
  return square >= what.clear ? as_one : u * total;
}

template <class T>
static inline void catch_up_values(const Missed<T>& what, const T by, T& x, T& m, T& v) {
  const T y = what.keep * x - by;
  x = y == x ? x : y;
  m = what.power1 * m;
  v = what.power2 * v;
}

// Move n elements at once, or, where they are far, by these sums. kTop: squares are not those of v.
template <bool kFar, bool kTop, class T>
static void move(const Expanded<T> what, int64_t n, T* x, T* m, T* v, const T* top, const T* sum) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T square = kTop ? top[i] : v[i];
    T by = moved(what, m[i], square);
    if constexpr (kFar) by = is_far(m[i], square, what.least) ? sum[i] : by;
    catch_up_values(what, by, x[i], m[i], v[i]);
  }
}

// A parameter whose rows lag.
template <class T>
struct Lagging {
  const AdamasLag* lag;
  Weight weight;
  Place m, v, square;  // square: what the denominator is the root of
  int64_t length;
  Randomness random;

  explicit Lagging(const AdamasRows& r) : lag(r.lag), weight(weight_of(*r.launch, 0)), length(r.length) {
    if (!lag) return;
    m = place_of(*r.launch, 0, 2);
    v = place_of(*r.launch, 0, 3);
    square = place_of(*r.launch, 0, lag->constant ? 4 : 3);
    random.stochastic = r.launch->rounding != ADAMAS_NEAREST;
    random.stream = r.launch->stream[0];
    random.step = uint64_t(lag->now);
    random.layout = r.launch->layout[0];
  }

  // Returns whether the row was behind.
  bool catch_up(int64_t row) {
    const int64_t since = lag->last[row];
    if (since >= lag->now) return false;
    catch_up(row, 0, since);
    lag->last[row] = int32_t(lag->now);
    return true;
  }

  // The elements of a row from `from` on, which are at the step `since`.
  void catch_up(int64_t row, int64_t from, int64_t since) {
    const int64_t birth = since - lag->start;
    const Expanded<T> what = expanded(*lag, birth, missed<T>(*lag, birth));
    for (int64_t at = from, n; at < length; at += n) {
      n = length - at < kChunk ? length - at : kChunk;
      catch_up_chunk(what, birth, row * length + at, n);
    }
  }

 private:
  void catch_up_chunk(const Expanded<T>& what, int64_t birth, int64_t at, int64_t n) {
    alignas(64) T stage[4][kChunk];
    T* x = weight.template fetch<T>(at, n, stage[0]);
    T* m_values = fetch_as<T>(m, at, n, stage[1]);
    T* v_values = fetch_as<T>(v, at, n, stage[2]);
    const T* top = lag->constant ? fetch_as<T>(square, at, n, stage[3]) : v_values;
    if (any_far<T>(n, m_values, top, what.least)) {
      alignas(64) T sum[kChunk];
      add_steps<T>(*lag, birth, n, m_values, top, sum);
      if (lag->constant) {
        move<true, true, T>(what, n, x, m_values, v_values, top, sum);
      } else {
        move<true, false, T>(what, n, x, m_values, v_values, nullptr, sum);
      }
    } else if (lag->constant) {
      move<false, true, T>(what, n, x, m_values, v_values, top, nullptr);
    } else {
      move<false, false, T>(what, n, x, m_values, v_values, nullptr, nullptr);
    }
    random.prepare(at, n);
    weight.put(at, n, x, random.dice(0, at));
    put_as<T>(m, at, n, m_values, random.dice(2, at));
    put_as<T>(v, at, n, v_values, random.dice(3, at));
  }
};

template <class T>
static int64_t catch_up_as(const AdamasRows& r, const Stretch& some) {
  Lagging<T> lagging(r);
  const Ahead ahead(r, some);
  int64_t behind = 0;
  for (int64_t k = some.begin; k < some.end; ++k) {
    ahead.ask(k);
    behind += lagging.catch_up(r.row ? r.row[k] : k);
  }
  return behind;
}

#include "sparse_registers.h"

// Whether weight, slots and gradient all are float32, row-major, where they are.
template <class Rule>
static bool all_direct(const AdamasRows& r) {
  const AdamasLaunch& launch = *r.launch;
  if (launch.row_length || launch.layout[0] || launch.rounding == ADAMAS_SPLIT || r.dtype != ADAMAS_FLOAT32) return false;
  if (r.added && (intptr_t(r.added) - intptr_t(r.values)) % intptr_t(sizeof(float))) return false;
  bool direct = launch.dtype[0] == ADAMAS_FLOAT32;
  for (int k = 0; k < Rule::kSlots; ++k) direct = direct && launch.dtype[2 + k] == ADAMAS_FLOAT32;
  return direct;
}

// Catch up some rows; returns how many were behind.
static int64_t catch_up(const AdamasRows& r, const Stretch& some) {
  if (r.launch->compute == ADAMAS_FLOAT64) return catch_up_as<double>(r, some);
  const bool whole = r.length % kLanes == 0;
  if (whole && !r.lag->constant && all_direct<Adam>(r)) return catch_up_in_registers<Adam>(r, some);
  if (whole && r.lag->constant && all_direct<AMSGrad>(r)) return catch_up_in_registers<AMSGrad>(r, some);
  return catch_up_as<float>(r, some);
}

// ---- stepping ------------------------------------------------------------------------------------------------------

// Some touched rows.
template <class Rule, class T>
static void step_rows(const AdamasRows& r, const Stretch& some) {
  if constexpr (sizeof(T) == 4) {
    if (all_direct<Rule>(r)) return step_in_registers<Rule>(r, some);
  }
  AdamasLaunch one = *r.launch;  // whose gradient is that of one row, moved to where the row's elements are
  void* gradient = nullptr;
  int32_t place = r.launch->row[0];
  one.operand[1] = &gradient;
  one.row = &place;
  const int64_t length = r.length;
  Lagging<T> lagging(r);
  const Ahead ahead(r, some);
  for (int64_t k = some.begin; k < some.end; ++k) {
    ahead.ask(k);
    const int64_t row = r.row[k], at = row * length;
    if (r.lag) {
      lagging.catch_up(row);
      r.lag->last[row] = int32_t(r.lag->now + 1);
    }
    if (r.scalars) place = r.scalars[k];
    const bool summed = r.source[k] >= r.entries;
    one.dtype[1] = summed ? r.launch->compute : r.dtype;
    char* const values = static_cast<char*>(const_cast<void*>(summed ? r.added : r.values));
    gradient = values + ((r.source[k] - (summed ? r.entries : 0)) * length - at) * width_of(one.dtype[1]);
    do_block<Rule, T>(one, 0, at, at + length);
  }
}

using RowsShare = AdamasKernels::RowsShare;

struct RowsShares {
  using Function = RowsShare;
  template <class Rule, class T>
  static constexpr Function of = step_rows<Rule, T>;
};

static RowsShare find_rows(int32_t rule, int32_t compute) { return choose<RowsShares, ADAMAS_RULES>(rule, compute); }
