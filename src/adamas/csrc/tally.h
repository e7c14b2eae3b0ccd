// What a look adds up and counts: 16 of each number, for every 16th element. See stats.h.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// What elements of T are looked at in: registers.
template <class T>
struct LanesOf {
  using Value = Floats;
  using Count = Ints;
  using One = int32_t;
  static constexpr int kWidth = kLanes;
};
template <>
struct LanesOf<double> {
  using Value = Doubles;
  using Count = Longs;
  using One = int64_t;
  static constexpr int kWidth = kLanes / 2;
};

// What a weight is when it is read again: as it was computed; rounded to bfloat16, to nearest; rounded to bfloat16 with a byte
// more (split.h). Else it must be written to know it. Stochastic rounding, which loses nothing on average, counts as the first.
enum Again { kAsComputed, kRounded, kWithByte, kByWriting };

// NaN may become any number. Has what compilers would make anew for each register.
struct Nearest {
  Words below = splat(0x7fffu), last = splat(1u), kept = splat(0xffff0000u);

  ADAMAS_INLINE Floats operator()(Floats x) const {
    return Floats((Words(x) + below + ((Words(x) >> 16) & last)) & kept);
  }
};

static ADAMAS_INLINE Floats with_byte(Floats x) {
  const Words up = (Words(x) + 0x8000u) & 0xffff0000u;
  const Ints byte = (Ints(Words(x) - up) + 128) >> 8, rest = byte < 127 ? byte : Ints{} + 127;
  return Floats(up + Words(rest << 8));
}

static ADAMAS_INLINE Floats read_again(Floats y, Again how, const Nearest& nearest) {
  return how == kRounded ? nearest(y) : how == kWithByte ? with_byte(y) : y;
}
static ADAMAS_INLINE Doubles read_again(Doubles y, Again, const Nearest&) { return y; }

// One more where the mask is set.
template <class Count>
static ADAMAS_INLINE Count more(Count count, Count mask) {
#if defined(__AVX512F__)
  return mask ? count + 1 : count;
#else
  return count - mask;
#endif
}

constexpr int kSquares = 0, kSteps = 1, kWeights = 2, kAlong = 3, kRatios = 4, kMeans = 5, kSumsOf = 6;
constexpr int kMoved = 0, kLarge = 1, kAlive = 2, kUnder = 3, kLost = 4, kCountsOf = 5;
constexpr int kNonfinite = kSumsOf + kCountsOf, kTop = kNonfinite + 1;
static_assert(kTop + 1 == ADAMAS_STATISTICS);

// 16 of each sum and count, and of the largest gradient: lane i has elements i, i + 16, ... of a block. If it is turned, lane 0
// has that of `turned`.
template <class T>
struct Tally {
  using Value = typename LanesOf<T>::Value;
  using Count = typename LanesOf<T>::Count;
  using One = typename LanesOf<T>::One;
  static constexpr int kParts = kSums / LanesOf<T>::kWidth;
  Value sum[kParts][kSumsOf] = {};
  Count count[kParts][kCountsOf] = {};
  Value top[kParts] = {};
  int64_t turned = 0;

  // Let lane 0 be that of a block's element `at`, for sums: it does not matter to counts which lane they are of.
  ADAMAS_APART void turn(int64_t at) {
    const int64_t by = (at - turned) & (kSums - 1);
    if (by == 0) return;
    turned = at;
    constexpr int kWidth = LanesOf<T>::kWidth;
    for (int s = 0; s < kSumsOf; ++s) {
      T twice[2 * kSums];
      for (int k = 0; k < 2 * kParts; ++k) store(twice + k * kWidth, sum[k % kParts][s]);
      for (int k = 0; k < kParts; ++k) sum[k][s] = load(twice + by + k * kWidth);
    }
  }

  // Lane k of something that every part has.
  template <class E, class Part>
  static E& lane(Part* first, int64_t stride, int k) {
    constexpr int kWidth = LanesOf<T>::kWidth;
    return reinterpret_cast<E*>(reinterpret_cast<char*>(first) + (k / kWidth) * stride)[k % kWidth];
  }
  T& sum_lane(int which, int k) { return lane<T>(&sum[0][which], sizeof(sum[0]), k); }
  One& count_lane(int which, int k) { return lane<One>(&count[0][which], sizeof(count[0]), k); }
  T& top_lane(int k) { return lane<T>(&top[0], sizeof(top[0]), k); }

  // Take the first n lanes of another.
  ADAMAS_APART void add(Tally& other, int64_t n) {
    for (int k = 0; k < n; ++k) {
      for (int s = 0; s < kSumsOf; ++s) sum_lane(s, k) += other.sum_lane(s, k);
      for (int s = 0; s < kCountsOf; ++s) count_lane(s, k) += other.count_lane(s, k);
      top_lane(k) = other.top_lane(k) > top_lane(k) ? other.top_lane(k) : top_lane(k);
    }
  }

  ADAMAS_APART void give(double* out) {
    turn(0);
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

// Where they are counted: in each lane,
template <class T>
struct PerLane {
  template <class Mask>
  static ADAMAS_INLINE Mask hits(Mask mask) {
    return mask;
  }
  template <class Mask>
  ADAMAS_INLINE void add(Tally<T>& tally, int part, int which, Mask hits) {
    tally.count[part][which] = more(tally.count[part][which], hits);
  }
  void finish(Tally<T>&) {}
};

template <class T>
struct CountsOf {
  using Type = PerLane<T>;
};

#if defined(__AVX2__) && !defined(__AVX512F__)
// or, as it does not matter to a count which lane it is of, all in one number. AVX2 has 16 registers for vectors, too few for
// counts, and others that do nothing here.
struct PerTally {
  int64_t count[kCountsOf] = {};

  static ADAMAS_INLINE uint32_t hits(Ints mask) { return uint32_t(_mm256_movemask_ps(__m256(mask))); }
  ADAMAS_INLINE void add(Tally<float>&, int, int which, uint32_t hits) { count[which] += __builtin_popcount(hits); }
  void finish(Tally<float>& tally) {
    for (int s = 0; s < kCountsOf; ++s) tally.count_lane(s, 0) += int32_t(count[s]);
  }
};

template <>
struct CountsOf<float> {
  using Type = PerTally;
};
#endif
