// Statistics of a step that is about to be taken: what the doctor (adamas/doctor) reads.
//
// Included by isa_*.cpp after norms.h, inside the namespace of that instruction set. The result is the same for any
// number of threads and any instruction set, and that of engines/statistics.py: a tensor is summed in blocks of
// ADAMAS_BLOCK elements; in a block 16 sums in the type of the computation take every 16th element each, and are then
// added in a fixed order.

// How far ahead to ask for memory, in bytes.
template <class E>
static inline void ask_soon(const E* from) {
  constexpr uintptr_t kSoon = 4096;
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + kSoon), 0, 3);  // never read
}

#include "tally.h"

static inline Floats spread(float x, Floats) { return splat(x); }
static inline Doubles spread(double x, Doubles) { return splat(x); }

// Looks at elements of one tensor.
template <class Rule, class T>
struct Looker {
  using Value = typename LanesOf<T>::Value;
  Value keep, l2, factor, large, unbias, floor, under;
  typename Rule::template Scalars<Value> c;
  bool coupled, scaled;
  Again again;
  Nearest nearest;

  Looker(const double* row, const double* limits, Again again) : again(again) {
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
    scaled = T(row[2]) != T(1);
  }

  // What becomes of elements: new weights y, the step u; and what else is looked at.
  struct Seen {
    Value x, gradient, first, second, y, u;
  };

  // Elements of which x, g and the slots are given; the slots are replaced.
  ADAMAS_INLINE Seen see(Value x, Value g, Value* slots) const {
    const Value zero = {};
    Value gradient = scaled ? factor * g : g;
    if (coupled) gradient = gradient + l2 * x;
    Value plain[Rule::kSlots + 1], first = zero;
    for (int k = 0; k < Rule::kSlots; ++k) plain[k] = slots[k];
    if constexpr (Rule::kFirst >= 0) first = slots[Rule::kFirst];
    const Value exact = update_slots<Rule, Value>(keep * x, gradient, c, slots);
    const Value u = update_slots<Rule, Value>(zero, gradient, c, plain);  // 0 - u, where only squares and sizes matter
    Value second = zero;
    if constexpr (Rule::kSecond >= 0) second = slots[Rule::kSecond];
    return {x, gradient, first, second, exact == x ? x : exact, u};
  }

  // Add up and count what was seen. Returns the new weights as they would be read again.
  template <class Counts>
  ADAMAS_INLINE Value add(const Seen& seen, int part, Tally<T>& to, Counts& counts, Again how) const {
    const Value zero = {}, square = seen.gradient * seen.gradient, written = read_again(seen.y, how, nearest);
    Value(&sum)[kSumsOf] = to.sum[part];
    sum[kSquares] = sum[kSquares] + square;
    sum[kSteps] = sum[kSteps] + seen.u * seen.u;
    sum[kWeights] = sum[kWeights] + seen.x * seen.x;
    to.top[part] = larger(magnitude(seen.gradient), to.top[part]);
    const auto moved = Counts::hits(seen.u != zero);
    counts.add(to, part, kMoved, moved);
    counts.add(to, part, kLarge, Counts::hits(magnitude(seen.u) > large));
    counts.add(to, part, kLost, moved & Counts::hits(written == seen.x));
    if constexpr (Rule::kFirst >= 0) sum[kAlong] = sum[kAlong] + seen.gradient * seen.first;
    if constexpr (Rule::kSecond >= 0) {
      const Value v = seen.second, mean = v * unbias, below = mean < floor ? floor : mean;
      sum[kRatios] = sum[kRatios] + square / below;
      sum[kMeans] = sum[kMeans] + v;
      const auto alive = Counts::hits(v > zero);
      counts.add(to, part, kAlive, alive);
      counts.add(to, part, kUnder, alive & Counts::hits(mean < under));
    }
    return written;
  }

  // u and the new weight also go to step and next, if those are there; new slots to where they are if they are to be written.
  // A register is added up after the next one's rule has begun: what waits for a root and a division would keep others from the
  // schedulers.
  template <class Counts>
  static void sixteens(const Looker self, bool write, int64_t n, const T* p, const T* g, T* const* slots, T* step, T* next,
                       Tally<T>& to) {
    T* s[Rule::kSlots + 1] = {};
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = slots[k];
    constexpr int kParts = Tally<T>::kParts;
    Tally<T> all = to;
    Counts counts;
    Seen last = {};
    for (int64_t at = 0; at < n; at += kSums) {
      ask_soon(p + at);
      ask_soon(g + at);
      for (int k = 0; k < Rule::kSlots; ++k) ask_soon(s[k] + at);
#pragma GCC unroll 1
      for (int part = 0; part < kParts; ++part) {
        const int64_t i = at + part * LanesOf<T>::kWidth;
        Value now[Rule::kSlots + 1];
        for (int k = 0; k < Rule::kSlots; ++k) now[k] = load(s[k] + i);
        const Seen seen = self.see(load(p + i), load(g + i), now);
        if (i > 0) self.add(last, (part + kParts - 1) % kParts, all, counts, self.again);
        last = seen;
        if (step) store(step + i, seen.u);
        if (next) store(next + i, seen.y);
        for (int k = 0; write && k < Rule::kSlots; ++k) store(s[k] + i, now[k]);
      }
    }
    self.add(last, kParts - 1, all, counts, self.again);
    counts.finish(all);
    to = all;
  }

  // Any number of elements. Those behind the end are copies of the last one, and not counted.
  ADAMAS_APART void run(bool write, int64_t n, const T* p, const T* g, T* const* slots, T* step, T* next,
                        Tally<T>& to) const {
    const int64_t whole = n & ~int64_t(kSums - 1), left = n - whole;
    if (whole) sixteens<typename CountsOf<T>::Type>(*this, write, whole, p, g, slots, step, next, to);
    if (!left) return;
    T own[2][kSums], own_slots[Rule::kSlots + 1][kSums], out[2][kSums];
    T* s[Rule::kSlots + 1];
    for (int64_t i = 0; i < kSums; ++i) {
      const int64_t from = whole + (i < left ? i : left - 1);
      own[0][i] = p[from];
      own[1][i] = g[from];
      for (int k = 0; k < Rule::kSlots; ++k) own_slots[k][i] = slots[k][from];
    }
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = own_slots[k];
    Tally<T> rest;
    sixteens<PerLane<T>>(*this, write, kSums, own[0], own[1], s, step ? out[0] : nullptr, next ? out[1] : nullptr, rest);
    to.add(rest, left);
    for (int k = 0; write && k < Rule::kSlots; ++k) __builtin_memcpy(slots[k] + whole, s[k], size_t(left) * sizeof(T));
    if (step) __builtin_memcpy(step + whole, out[0], size_t(left) * sizeof(T));
    if (next) __builtin_memcpy(next + whole, out[1], size_t(left) * sizeof(T));
  }
};

static inline Again again(const AdamasLaunch& launch, int32_t native) {
  const bool bfloat16 = native == ADAMAS_FLOAT32 && launch.dtype[0] == ADAMAS_BFLOAT16;
  if (launch.rounding == ADAMAS_SPLIT) {
    if (!bfloat16) return kByWriting;
    return launch.dtype[ADAMAS_LOW] == ADAMAS_INT8 ? kWithByte : kAsComputed;  // 16 bits more are all there are
  }
  if (launch.rounding == ADAMAS_STOCHASTIC || launch.dtype[0] == native) return kAsComputed;
  return bfloat16 ? kRounded : kByWriting;
}

// Return the weights as they would be read again.
template <class T>
static ADAMAS_APART const T* as_written(const AdamasLaunch& launch, const T* next, int64_t n, T* stage) {
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
static ADAMAS_APART int32_t count_lost(int64_t n, const T* x, const T* step, const T* written) {
  int32_t lost = 0;
#pragma omp simd reduction(+ : lost)
  for (int64_t i = 0; i < n; ++i) lost += (step[i] != T(0)) & (written[i] == x[i]);
  return lost;
}

// How many gradients are infinite or NaN: asked only where the sum of squares is.
template <class T>
static ADAMAS_APART int64_t count_nonfinite(const Place& gradients, int64_t start, int64_t end) {
  alignas(64) T stage[kChunk];
  int64_t bad = 0;
  for (int64_t at = start; at < end; at += kChunk) {
    const int64_t n = end - at < kChunk ? end - at : kChunk;
    const T* g = fetch_as<T>(gradients, at, n, stage);
    for (int64_t i = 0; i < n; ++i) bad += g[i] - g[i] != T(0);
  }
  return bad;
}

// Look at elements start .. end of a tensor, by way of stages where they are not what the rule computes in; and step them if
// that is asked for, which it must not be of slots in blocks. Returns how many updates are lost, if weights must be written
// to know it.
template <class Rule, class T>
static int64_t look(const AdamasLaunch& launch, const Looker<Rule, T>& looker, bool step, int64_t tensor, int64_t start,
                    int64_t end, Tally<T>& tally) {
  const Weight weight = weight_of(launch, tensor);
  const bool by_writing = looker.again == kByWriting, in_memory = !weight.split && in_place<T>(weight.upper);
  Place place[2 + Rule::kSlots];
  for (int k = 0; k < 2 + Rule::kSlots; ++k) place[k] = place_of(launch, tensor, k);
  Randomness random = randomness_of(launch, tensor);
  alignas(64) T stage[2 + Rule::kSlots][kChunk], u[kChunk], next[kChunk], written[kChunk];
  int64_t lost = 0;
  for (int64_t at = start; at < end; at += kChunk) {
    const int64_t n = end - at < kChunk ? end - at : kChunk;
    T* x = weight.fetch(at, n, stage[0]);
    const T* g = fetch_as<T>(place[1], at, n, stage[1]);
    T* slots[Rule::kSlots + 1];
    for (int k = 0; k < Rule::kSlots; ++k) {
      slots[k] = stage[2 + k];
      if (in_blocks(place[2 + k].dtype)) {
        read_blocks(launch, tensor, k, at, n, stage[2 + k]);
      } else {
        slots[k] = fetch_as<T>(place[2 + k], at, n, stage[2 + k]);
      }
    }
    T* const after = step && in_memory ? x : by_writing || step ? next : nullptr;
    looker.run(step, n, x, g, slots, by_writing ? u : nullptr, after, tally);
    if (by_writing) lost += count_lost(n, x, u, as_written(launch, next, n, written));
    if (!step) continue;
    random.prepare(at, n);
    weight.put(at, n, after, random.dice(0, at));
    for (int k = 0; k < Rule::kSlots; ++k) put_as<T>(place[2 + k], at, n, slots[k], random.dice(2 + k, at));
  }
  return lost;
}

#include "looked.h"

// The numbers of a block of a tensor; and its step, if that is asked for.
template <class Rule, class T>
static void statistics(const AdamasLaunch& launch, const double* limits, bool step, int64_t tensor, int64_t start,
                       int64_t end, double* out) {
  const Looker<Rule, T> looker(launch.scalars + int64_t(launch.row[tensor]) * launch.scalars_per_row,
                               limits + int64_t(launch.row[tensor]) * 4, again(launch, kNative<T>));
  Tally<T> tally;
  int64_t lost = 0, rest = start;
  if (step && launch.row_length) {
    lost = look_and_step_rows(launch, looker, tensor, start, end, tally);
  } else {
    if constexpr (sizeof(T) == 4) {
      if (step) rest += look_and_step(launch, looker, tensor, start, end, tally);
    }
    if (rest < end) lost = look(launch, looker, step, tensor, rest, end, tally);
  }
  tally.give(out);
  if (looker.again == kByWriting) out[kSumsOf + kLost] = double(lost);
  if (out[kSquares] - out[kSquares] == 0.0) return;  // else gradients are read again: no step changes them
  out[kNonfinite] = double(count_nonfinite<T>(place_of(launch, tensor, 1), start, end));
}

using Look = AdamasKernels::Look;

struct Looks {
  using Function = Look;
  template <class Rule, class T>
  static constexpr Function of = statistics<Rule, T>;
};

static Look find_look(int32_t rule, int32_t compute) { return choose<Looks, ADAMAS_RULES>(rule, compute); }
