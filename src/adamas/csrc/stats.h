// Statistics of a step that is about to be taken: what the doctor (adamas/doctor) reads. Writes no operand.
//
// Included by isa_*.cpp after norms.h, inside the namespace of that instruction set. The result is the same for any
// number of threads and any instruction set, and that of engines/statistics.py: a tensor is summed in blocks of
// ADAMAS_BLOCK elements; in a block 16 sums in the type of the computation take every 16th element each, and are then
// added in a fixed order. Denormals are not flushed.

// How far ahead to ask for memory, in bytes.
template <class E>
static inline void ask_soon(const E* from) {
  constexpr uintptr_t kSoon = 4096;
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + kSoon), 0, 3);  // never read
}

// What elements of T are looked at in: registers of floats, single doubles.
template <class T>
struct LanesOf {
  using Value = Floats;
  using Count = Ints;
  static constexpr int kWidth = kLanes;
};
template <>
struct LanesOf<double> {
  using Value = double;
  using Count = int32_t;
  static constexpr int kWidth = 1;
};

static inline double load(const double* from) { return *from; }

static inline Floats load(const uint16_t* bfloat16) {
  Halves h;
  __builtin_memcpy(&h, bfloat16, sizeof h);
#if defined(__AVX512F__)  // compilers convert the general vector in halves
  return Floats(_mm512_slli_epi32(_mm512_cvtepu16_epi32(__m256i(h)), 16));
#elif defined(__AVX2__)
  return Floats(_mm256_slli_epi32(_mm256_cvtepu16_epi32(__m128i(h)), 16));
#else
  return Floats(__builtin_convertvector(h, Words) << 16);
#endif
}

// What is left of a weight that is rounded to bfloat16, to nearest; NaN may become any number.
static inline Floats rounded(Floats x) { return Floats((Words(x) + to_nearest(x)) & 0xffff0000u); }
static inline double rounded(double x) { return x; }

static inline void store(double* to, double x) { *to = x; }
static inline double larger(double a, double b) { return a > b ? a : b; }

// One more where the mask is set.
static inline Ints more(Ints count, Ints mask) {
#if defined(__AVX512F__)
  return mask ? count + 1 : count;
#else
  return count - mask;
#endif
}
static inline int32_t more(int32_t count, bool mask) { return count + mask; }

constexpr int kSquares = 0, kSteps = 1, kWeights = 2, kAlong = 3, kRatios = 4, kMeans = 5, kSumsOf = 6;
constexpr int kMoved = 0, kLarge = 1, kAlive = 2, kUnder = 3, kLost = 4, kCountsOf = 5;
constexpr int kNonfinite = kSumsOf + kCountsOf, kTop = kNonfinite + 1;
static_assert(kTop + 1 == ADAMAS_STATISTICS);

// 16 of each sum and count, and of the largest gradient: lane i has elements i, i + 16, ...
template <class T>
struct Tally {
  using Value = typename LanesOf<T>::Value;
  using Count = typename LanesOf<T>::Count;
  static constexpr int kParts = kSums / LanesOf<T>::kWidth;
  Value sum[kParts][kSumsOf] = {};
  Count count[kParts][kCountsOf] = {};
  Value top[kParts] = {};

  // Lane k of something that every part has.
  template <class E, class Part>
  static E& lane(Part* first, int64_t stride, int k) {
    constexpr int kWidth = LanesOf<T>::kWidth;
    return reinterpret_cast<E*>(reinterpret_cast<char*>(first) + (k / kWidth) * stride)[k % kWidth];
  }
  T& sum_lane(int which, int k) { return lane<T>(&sum[0][which], sizeof(sum[0]), k); }
  int32_t& count_lane(int which, int k) { return lane<int32_t>(&count[0][which], sizeof(count[0]), k); }
  T& top_lane(int k) { return lane<T>(&top[0], sizeof(top[0]), k); }

  // Take the first n lanes of another.
  void add(Tally& other, int64_t n) {
    for (int k = 0; k < n; ++k) {
      for (int s = 0; s < kSumsOf; ++s) sum_lane(s, k) += other.sum_lane(s, k);
      for (int s = 0; s < kCountsOf; ++s) count_lane(s, k) += other.count_lane(s, k);
      top_lane(k) = other.top_lane(k) > top_lane(k) ? other.top_lane(k) : top_lane(k);
    }
  }

  void give(double* out) {
    for (int half = kSums / 2; half > 0; half /= 2) {
      for (int k = 0; k < half; ++k) {
        for (int s = 0; s < kSumsOf; ++s) sum_lane(s, k) += sum_lane(s, k + half);
        for (int s = 0; s < kCountsOf; ++s) count_lane(s, k) += count_lane(s, k + half);
        top_lane(k) = top_lane(k + half) > top_lane(k) ? top_lane(k + half) : top_lane(k);
      }
    }
    for (int s = 0; s < kSumsOf; ++s) out[s] = double(sum_lane(s, 0));
    for (int s = 0; s < kCountsOf; ++s) out[kSumsOf + s] = double(count_lane(s, 0));
    out[kNonfinite] = 0.0;
    out[kTop] = double(top_lane(0));
  }
};

static inline Floats spread(float x, Floats) { return splat(x); }
static inline double spread(double x, double) { return x; }

// Looks at elements of one tensor.
template <class Rule, class T>
struct Looker {
  using Value = typename LanesOf<T>::Value;
  Value keep, l2, factor, large, unbias, floor, under;
  typename Rule::template Scalars<Value> c;
  bool coupled, rounds;  // to bfloat16, to nearest

  Looker(const double* row, const double* limits, bool rounds) : rounds(rounds) {
    Value numbers[Rule::kScalars];
    for (int k = 0; k < Rule::kScalars; ++k) numbers[k] = spread(T(row[3 + k]), Value{});
    static_assert(sizeof(c) == sizeof(numbers));
    __builtin_memcpy(&c, numbers, sizeof(c));
    keep = spread(T(row[0]), Value{});
    l2 = spread(T(row[1]), Value{});
    factor = spread(T(row[2]), Value{});
    large = spread(T(limits[0]), Value{});
    unbias = spread(T(limits[1]), Value{});
    floor = spread(T(limits[2]), Value{});
    under = spread(T(limits[3]), Value{});
    coupled = T(row[1]) != T(0);
  }

  // Elements i .. of every array; u and the new weight also go to step and next, if those are there.
  template <class P, class S>
  inline __attribute__((always_inline)) void part(int64_t i, const P* p, const P* g, const S* const* slots, T* step,
                                                  T* next, Value* sum, typename LanesOf<T>::Count* count,
                                                  Value& top) const {
    const Value zero = {}, x = load(p + i);
    Value gradient = factor * load(g + i);
    if (coupled) gradient = gradient + l2 * x;
    Value old[Rule::kSlots + 1], now[Rule::kSlots + 1], plain[Rule::kSlots + 1];
    for (int k = 0; k < Rule::kSlots; ++k) plain[k] = old[k] = now[k] = load(slots[k] + i);
    const Value y = update_slots<Rule, Value>(keep * x, gradient, c, now);
    const Value u = update_slots<Rule, Value>(zero, gradient, c, plain);  // 0 - u, where only squares and sizes matter
    const Value written = rounds ? rounded(y) : y;
    const Value square = gradient * gradient;
    sum[kSquares] = sum[kSquares] + square;
    sum[kSteps] = sum[kSteps] + u * u;
    sum[kWeights] = sum[kWeights] + x * x;
    count[kMoved] = more(count[kMoved], u != zero);
    count[kLarge] = more(count[kLarge], magnitude(u) > large);
    count[kLost] = more(count[kLost], (u != zero) & (written == x));
    top = larger(magnitude(gradient), top);
    if constexpr (Rule::kFirst >= 0) sum[kAlong] = sum[kAlong] + gradient * old[Rule::kFirst];
    if constexpr (Rule::kSecond >= 0) {
      const Value v = now[Rule::kSecond], mean = v * unbias, below = mean < floor ? floor : mean;
      sum[kRatios] = sum[kRatios] + square / below;
      sum[kMeans] = sum[kMeans] + v;
      count[kAlive] = more(count[kAlive], v > zero);
      count[kUnder] = more(count[kUnder], (v > zero) & (mean < under));
    }
    if (next) {
      store(step + i, u);
      store(next + i, y);
    }
  }

  template <class P, class S>
  static void sixteens(const Looker self, int64_t n, const P* p, const P* g, const S* const* slots, T* step, T* next,
                       Tally<T>& to) {
    const S* s[Rule::kSlots + 1] = {};
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = slots[k];
    Tally<T> all = to;
    for (int64_t at = 0; at < n; at += kSums) {
      ask_soon(p + at);
      ask_soon(g + at);
      for (int k = 0; k < Rule::kSlots; ++k) ask_soon(s[k] + at);
#pragma GCC unroll 1
      for (int k = 0; k < Tally<T>::kParts; ++k) {
        self.part(at + k * LanesOf<T>::kWidth, p, g, s, step, next, all.sum[k], all.count[k], all.top[k]);
      }
    }
    to = all;
  }

  // Any number of elements. Those behind the end are copies of the last one, and not counted.
  template <class P, class S>
  void run(int64_t n, const P* p, const P* g, const S* const* slots, T* step, T* next, Tally<T>& to) const {
    const int64_t whole = n & ~int64_t(kSums - 1), left = n - whole;
    if (whole) sixteens(*this, whole, p, g, slots, step, next, to);
    if (!left) return;
    P own[2][kSums];
    S own_slots[Rule::kSlots + 1][kSums];
    T out[2][kSums];
    const S* s[Rule::kSlots + 1];
    for (int64_t i = 0; i < kSums; ++i) {
      const int64_t from = whole + (i < left ? i : left - 1);
      own[0][i] = p[from];
      own[1][i] = g[from];
      for (int k = 0; k < Rule::kSlots; ++k) own_slots[k][i] = slots[k][from];
    }
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = own_slots[k];
    Tally<T> rest;
    sixteens(*this, kSums, own[0], own[1], s, out[0], next ? out[1] : nullptr, rest);
    to.add(rest, left);
    if (!next) return;
    __builtin_memcpy(step + whole, out[0], size_t(left) * sizeof(T));
    __builtin_memcpy(next + whole, out[1], size_t(left) * sizeof(T));
  }

  template <class P, class S>
  void run_flat(const Place* place, int64_t start, int64_t n, Tally<T>& to) const {
    const S* s[Rule::kSlots + 1];
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = reinterpret_cast<const S*>(place[2 + k].flat_at(start));
    run(n, reinterpret_cast<const P*>(place[0].flat_at(start)), reinterpret_cast<const P*>(place[1].flat_at(start)), s,
        static_cast<T*>(nullptr), static_cast<T*>(nullptr), to);
  }

  // Look at a block where it is, or return false: float32 or bfloat16, all flat, its weights not to be read again.
  bool run_in_place(const Place* place, int64_t start, int64_t n, Tally<T>& to) const {
    const int32_t slot = Rule::kSlots ? place[2].dtype : kNative<T>;
    for (int k = 0; k < 2 + Rule::kSlots; ++k) {
      if (place[k].layout || place[k].dtype != (k < 2 ? place[0].dtype : slot)) return false;
    }
    if (place[0].dtype == kNative<T> && slot == kNative<T>) {
      run_flat<T, T>(place, start, n, to);
      return true;
    }
    if constexpr (sizeof(T) == 4) {
      if (place[0].dtype != ADAMAS_BFLOAT16) return false;
      if (slot == ADAMAS_FLOAT32) run_flat<uint16_t, float>(place, start, n, to);
      if (slot == ADAMAS_BFLOAT16) run_flat<uint16_t, uint16_t>(place, start, n, to);
      return slot == ADAMAS_FLOAT32 || slot == ADAMAS_BFLOAT16;
    }
    return false;
  }
};

// How a weight is read again that is being written.
enum Again { kAsComputed, kRounded, kByWriting };  // stochastic rounding, which loses nothing on average, counts as the first

static inline Again again(const AdamasLaunch& launch, int32_t native) {
  if (launch.rounding == ADAMAS_SPLIT) return kByWriting;
  if (launch.rounding == ADAMAS_STOCHASTIC || launch.dtype[0] == native) return kAsComputed;
  return native == ADAMAS_FLOAT32 && launch.dtype[0] == ADAMAS_BFLOAT16 ? kRounded : kByWriting;
}

// Return the weights as they would be read again.
template <class T>
static const T* as_written(const AdamasLaunch& launch, const T* next, int64_t n, T* stage) {
  const int32_t dtype = launch.dtype[0];
  Raw raw;
  if constexpr (sizeof(T) == 4) {
    if (launch.rounding == ADAMAS_SPLIT) {
      Raw low;
      uint16_t* h = reinterpret_cast<uint16_t*>(raw.bytes);
      if (launch.dtype[ADAMAS_LOW] == ADAMAS_INT8) {
        part(next, dtype, n, h, reinterpret_cast<int8_t*>(low.bytes));
        join(h, reinterpret_cast<const int8_t*>(low.bytes), dtype, n, stage);
      } else {
        part(next, dtype, n, h, reinterpret_cast<int16_t*>(low.bytes));
        join(h, reinterpret_cast<const int16_t*>(low.bytes), dtype, n, stage);
      }
      return stage;
    }
  }
  narrow(next, dtype, n, Dice{false, {0, 0}, 0, nullptr}, raw.bytes);
  widen(raw.bytes, dtype, n, stage);
  return stage;
}

template <class T>
static int32_t count_lost(int64_t n, const T* x, const T* step, const T* written) {
  int32_t lost = 0;
#pragma omp simd reduction(+ : lost)
  for (int64_t i = 0; i < n; ++i) lost += (step[i] != T(0)) & (written[i] == x[i]);
  return lost;
}

// How many gradients are infinite or NaN: asked only where the sum of squares is.
template <class T>
static int64_t count_nonfinite(const Place& gradients, int64_t start, int64_t end) {
  alignas(64) T stage[kChunk];
  int64_t bad = 0;
  for (int64_t at = start; at < end; at += kChunk) {
    const int64_t n = end - at < kChunk ? end - at : kChunk;
    const T* g = fetch_as<T>(gradients, at, n, stage);
    for (int64_t i = 0; i < n; ++i) bad += g[i] - g[i] != T(0);
  }
  return bad;
}

template <class Rule, class T>
static void look(const AdamasLaunch& launch, const double* limits, int64_t tensor, int64_t start, int64_t end,
                 double* out) {
  const Again how = again(launch, kNative<T>);
  const Looker<Rule, T> looker(launch.scalars + int64_t(launch.row[tensor]) * launch.scalars_per_row,
                               limits + int64_t(launch.row[tensor]) * 4, how == kRounded);
  const Weight weight = weight_of(launch, tensor);
  Place place[2 + Rule::kSlots];
  for (int k = 0; k < 2 + Rule::kSlots; ++k) place[k] = place_of(launch, tensor, k);
  Tally<T> tally;
  if (how != kByWriting && looker.run_in_place(place, start, end - start, tally)) return tally.give(out);
  alignas(64) T stage[2 + Rule::kSlots][kChunk], step[kChunk], next[kChunk], written[kChunk];
  int64_t lost = 0;
  for (int64_t at = start; at < end; at += kChunk) {
    const int64_t n = end - at < kChunk ? end - at : kChunk;
    const T* x = weight.fetch(at, n, stage[0]);
    const T* g = fetch_as<T>(place[1], at, n, stage[1]);
    const T* slots[Rule::kSlots + 1];
    for (int k = 0; k < Rule::kSlots; ++k) {
      slots[k] = stage[2 + k];
      if (in_blocks(place[2 + k].dtype)) {
        read_blocks(launch, tensor, k, at, n, stage[2 + k]);
      } else {
        slots[k] = fetch_as<T>(place[2 + k], at, n, stage[2 + k]);
      }
    }
    looker.run(n, x, g, slots, step, how == kByWriting ? next : nullptr, tally);
    if (how == kByWriting) lost += count_lost(n, x, step, as_written(launch, next, n, written));
  }
  tally.give(out);
  if (how == kByWriting) out[kSumsOf + kLost] = double(lost);
}

template <class Rule, class T>
static void statistics(const AdamasLaunch& launch, const double* limits, int64_t tensor, int64_t start, int64_t end,
                       double* out) {
  look<Rule, T>(launch, limits, tensor, start, end, out);
  if (out[kSquares] - out[kSquares] == 0.0) return;
  out[kNonfinite] = double(count_nonfinite<T>(place_of(launch, tensor, 1), start, end));
}

using Look = AdamasKernels::Look;

struct Looks {
  using Function = Look;
  template <class Rule, class T>
  static constexpr Function of = statistics<Rule, T>;
};

static Look find_look(int32_t rule, int32_t compute) { return choose<Looks, ADAMAS_RULES>(rule, compute); }
