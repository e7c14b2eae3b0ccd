// The block loop: every rule, dtype, rounding and layout, for one instruction set.
//
// Included by isa_*.cpp, each compiled with its own flags, inside a namespace of that instruction set's name. Nothing
// here may call an inline function of the standard library: the linker would keep one copy of it, perhaps the
// AVX-512 one, for all. Rule code must not be contracted into fused multiply-adds (-ffp-contract=off): the
// reference is engines/reference.py, and it must be matched to the bit.
//
// A block of a tensor goes through four stages: fetch every operand as the compute type (in place if it is stored
// so), sweep the rule over it, round, put back. Formats and roundings are thereby a sum, not a product, with rules.

#include "numbers.h"
#include "vectors.h"
#include "vocabulary.h"

#include "rules.generated.h"

#include "operands.h"

#include "blocks.h"
#include "int4.h"
#include "int8.h"
#include "split.h"

// A tensor's weight: its elements, and the bits below them if it is split.
struct Weight {
  Place upper, low;
  bool split;

  template <class T>
  T* fetch(int64_t start, int64_t n, T* stage) const {
    if constexpr (sizeof(T) == 4) {
      if (split) {
        join_all(start, n, stage);
        return stage;
      }
    }
    return fetch_as<T>(upper, start, n, stage);
  }

  template <class T>
  void put(int64_t start, int64_t n, const T* values, const Dice& dice) const {
    if constexpr (sizeof(T) == 4) {
      if (split) return part_all(start, n, values);
    }
    put_as<T>(upper, start, n, values, dice);
  }

 private:
  ADAMAS_APART void join_all(int64_t start, int64_t n, float* x) const {
    Raw raw, raw_low;
    const uint16_t* h = static_cast<const uint16_t*>(fetch_raw(upper, start, n, raw));
    const void* l = fetch_raw(low, start, n, raw_low);
    if (low.dtype == ADAMAS_INT8) {
      join(h, static_cast<const int8_t*>(l), upper.dtype, n, x);
    } else {
      join(h, static_cast<const int16_t*>(l), upper.dtype, n, x);
    }
  }

  ADAMAS_APART void part_all(int64_t start, int64_t n, const float* x) const {
    Raw raw, raw_low;
    uint16_t* h = static_cast<uint16_t*>(target_raw(upper, start, raw));
    void* l = target_raw(low, start, raw_low);
    if (low.dtype == ADAMAS_INT8) {
      part(x, upper.dtype, n, h, static_cast<int8_t*>(l));
    } else {
      part(x, upper.dtype, n, h, static_cast<int16_t*>(l));
    }
    put_raw(upper, start, n, raw);
    put_raw(low, start, n, raw_low);
  }
};

// ---- the sweep ---------------------------------------------------------------------------------------------------

// What is done around every rule: its step is subtracted from keep p, and it sees the gradient factor * g + l2 p.
template <class T>
struct Around {
  T keep, l2, factor;
};

// The rule on values of T: floats, doubles or registers of floats.
template <class Rule, class T>
static inline T update_slots(const T x, const T gradient, const typename Rule::template Scalars<T>& c, T* s) {
  static_assert(Rule::kSlots <= ADAMAS_MAX_SLOTS);
  if constexpr (Rule::kSlots == 0) return Rule::template update<T>(x, gradient, c);
  if constexpr (Rule::kSlots == 1) return Rule::template update<T>(x, gradient, c, s[0]);
  if constexpr (Rule::kSlots == 2) return Rule::template update<T>(x, gradient, c, s[0], s[1]);
  if constexpr (Rule::kSlots == 3) return Rule::template update<T>(x, gradient, c, s[0], s[1], s[2]);
}

template <class Rule, bool kL2, class T, class... Slots>
static ADAMAS_APART void sweep(int64_t n, const Around<T> a, const typename Rule::template Scalars<T> c, T* p,
                               const T* g, Slots*... slots) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T x = p[i];
    T gradient = a.factor * g[i];
    if constexpr (kL2) gradient = gradient + a.l2 * x;
    const T y = Rule::template update<T>(a.keep * x, gradient, c, slots[i]...);
    p[i] = y == x ? x : y;  // a step of nothing keeps every bit: of -0, and of a denormal, which counts as 0 here
  }
}

template <class Rule, bool kL2, class T>
static inline void sweep_slots(int64_t n, const Around<T>& a, const typename Rule::template Scalars<T>& c, T* p,
                               const T* g, T* const* s) {
  if constexpr (Rule::kSlots == 0) sweep<Rule, kL2>(n, a, c, p, g);
  if constexpr (Rule::kSlots == 1) sweep<Rule, kL2>(n, a, c, p, g, s[0]);
  if constexpr (Rule::kSlots == 2) sweep<Rule, kL2>(n, a, c, p, g, s[0], s[1]);
  if constexpr (Rule::kSlots == 3) sweep<Rule, kL2>(n, a, c, p, g, s[0], s[1], s[2]);
}

#include "strips.h"

// ---- one block of one tensor -------------------------------------------------------------------------------------

// The random numbers of every operand of a tensor's chunk; the index is looked up only where it is not origin + start + i.
struct Randomness {
  bool stochastic;
  uint64_t stream, step;
  const AdamasLayout* layout;
  int64_t origin = 0;
  alignas(64) uint32_t index[kChunk];

  ADAMAS_APART void prepare(int64_t start, int64_t n) {
    if (!stochastic || !layout) return;
    uint32_t* target = index;
    for_runs(*layout, layout->index_stride, start, n, [&](int64_t offset, int64_t by, int64_t run) {
      for (int64_t i = 0; i < run; ++i) target[i] = uint32_t(origin + offset + i * by);
      target += run;
    });
  }

  Dice dice(int operand, int64_t start) const {
    if (!stochastic) return {false, {0, 0}, 0, nullptr};
    const uint64_t first = uint64_t(origin + start);
    return {true, at_high(key(operand), first >> 32), uint32_t(first), layout ? index : nullptr};
  }

  // Whether the random numbers of strips begin where strips do.
  bool in_strips() const { return !layout && (!stochastic || origin % kStrip == 0); }

  Key key(int operand) const { return make_key(stream, step, uint64_t(operand)); }
};

static ADAMAS_APART Randomness randomness_of(const AdamasLaunch& launch, int64_t tensor) {
  Randomness random;
  random.stochastic = launch.rounding != ADAMAS_NEAREST;
  random.stream = launch.stream[tensor];
  random.step = uint64_t(launch.step[tensor]);
  random.layout = launch.layout[tensor];
  if (random.layout && ((random.layout->flat >> ADAMAS_MAX_OPERANDS) & 1)) random.layout = nullptr;
  if (launch.origin) random.origin = launch.origin[tensor];
  return random;
}

// The numbers of a row of scalars: those around the rule, and the rule's own.
template <class Rule, class T>
struct Numbers {
  Around<T> a;
  T own[Rule::kScalars];

  Numbers(const AdamasLaunch& launch, int64_t place) {
    const double* row = launch.scalars + place * launch.scalars_per_row;
    a = {T(row[0]), T(row[1]), T(row[2])};
    for (int k = 0; k < Rule::kScalars; ++k) own[k] = T(row[3 + k]);
  }
};

// What a step in registers needs: every number of it in all lanes.
template <class Rule>
static Strips<Rule> strips_of(const Around<float>& a, const float* numbers) {
  Strips<Rule> strips = {splat(a.keep), splat(a.l2), splat(a.factor), {}, a.l2 != 0.0f, a.factor != 1.0f, false, {}};
  Floats c[Rule::kScalars];
  for (int k = 0; k < Rule::kScalars; ++k) c[k] = splat(numbers[k]);
  static_assert(sizeof(strips.c) == sizeof(c));
  __builtin_memcpy(&strips.c, c, sizeof(c));
  return strips;
}

// Step a block of bfloat16 weights and gradients whose slots are all float32 or all bfloat16, or return false.
template <class Rule>
static bool do_strips(const Place* place, int64_t start, int64_t n, const Around<float>& a, const float* numbers,
                      const Randomness& random) {
  const int32_t slot = Rule::kSlots ? place[2].dtype : ADAMAS_FLOAT32;
  if (!random.in_strips() || (slot != ADAMAS_FLOAT32 && slot != ADAMAS_BFLOAT16)) return false;
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    if (place[k].layout || place[k].dtype != (k < 2 ? ADAMAS_BFLOAT16 : slot)) return false;
  }
  Strips<Rule> strips = strips_of<Rule>(a, numbers);
  strips.stochastic = random.stochastic;
  for (int k = 0; k < ADAMAS_MAX_OPERANDS; ++k) strips.key[k] = random.dice(k, start).key;
  uint16_t* p = reinterpret_cast<uint16_t*>(place[0].flat_at(start));
  const uint16_t* g = reinterpret_cast<const uint16_t*>(place[1].flat_at(start));
  float* in_float[ADAMAS_MAX_SLOTS] = {};
  uint16_t* in_bfloat16[ADAMAS_MAX_SLOTS] = {};
  for (int k = 0; k < Rule::kSlots; ++k) {
    in_float[k] = reinterpret_cast<float*>(place[2 + k].flat_at(start));
    in_bfloat16[k] = reinterpret_cast<uint16_t*>(place[2 + k].flat_at(start));
  }
  if (slot == ADAMAS_FLOAT32) {
    strips.run_all(p, g, in_float, uint32_t(random.origin + start), n);
  } else {
    strips.run_all(p, g, in_bfloat16, uint32_t(random.origin + start), n);
  }
  return true;
}

static Weight weight_of(const AdamasLaunch& launch, int64_t tensor) {
  const bool split = launch.rounding == ADAMAS_SPLIT;
  return {place_of(launch, tensor, 0), place_of(launch, tensor, split ? ADAMAS_LOW : 0), split};
}

#include "rows.h"

template <class Rule, class T>
static void do_block(const AdamasLaunch& launch, int64_t tensor, int64_t start, int64_t end) {
  const Numbers<Rule, T> row(launch, launch.row[tensor]);
  const Around<T>& a = row.a;
  const T(&numbers)[Rule::kScalars] = row.own;
  typename Rule::template Scalars<T> c;
  static_assert(sizeof(c) == sizeof(numbers));
  __builtin_memcpy(&c, numbers, sizeof(c));

  constexpr int kOperands = 2 + Rule::kSlots;
  Place place[kOperands];
  bool direct = true;
  for (int k = 0; k < kOperands; ++k) {
    place[k] = place_of(launch, tensor, k);
    direct = direct && in_place<T>(place[k]);
  }
  Randomness random = randomness_of(launch, tensor);
  const Weight weight = weight_of(launch, tensor);
  if (launch.row_length) {
    SteppedRows<Rule, T> steps(row);
    return do_rows<Rule, T>(launch, tensor, start, end, place, weight, steps, random);
  }
  if constexpr (sizeof(T) == 4) {
    if (!direct && !weight.split && do_strips<Rule>(place, start, end - start, a, numbers, random)) return;
  }
  alignas(64) T stage[kOperands][kChunk];
  const int64_t chunk = direct ? end - start : kChunk;
  for (int64_t at = start; at < end; at += chunk) {
    const int64_t n = end - at < chunk ? end - at : chunk;
    T* x[kOperands + 1];
    for (int k = 0; k < kOperands; ++k) x[k] = k ? fetch_as<T>(place[k], at, n, stage[k]) : weight.fetch(at, n, stage[0]);
    if (a.l2 != T(0)) {
      sweep_slots<Rule, true, T>(n, a, c, x[0], x[1], x + 2);
    } else {
      sweep_slots<Rule, false, T>(n, a, c, x[0], x[1], x + 2);
    }
    if (direct) continue;
    random.prepare(at, n);
    weight.put(at, n, x[0], random.dice(0, at));
    for (int k = 2; k < kOperands; ++k) put_as<T>(place[k], at, n, x[k], random.dice(k, at));
  }
}

// ---- one thread's share ------------------------------------------------------------------------------------------

template <class Rule, class T>
static void do_share(const AdamasLaunch& launch, int64_t block, int64_t end) {
  const int64_t* first = launch.first_block;
  int64_t low = 0, high = launch.tensors;  // the last tensor that begins at or before block
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (first[middle] <= block ? low : high) = middle;
  }
  for (int64_t tensor = low; block < end; ++tensor) {
    const int64_t stop = first[tensor + 1] < end ? first[tensor + 1] : end;
    const int64_t by = launch.row_length ? stop - block : 1;  // rows are walked in one go
    for (; block < stop; block += by) {
      const int64_t start = (block - first[tensor]) * ADAMAS_BLOCK, numel = launch.numel[tensor];
      const int64_t left = numel - start;
      do_block<Rule, T>(launch, tensor, start, start + (left < by * ADAMAS_BLOCK ? left : by * ADAMAS_BLOCK));
    }
  }
}

using Share = AdamasKernels::Share;

// Of functions that there are for every rule in float and in double, the one for these; null if there is no such rule.
template <class Kind, class... Rules>
static typename Kind::Function choose(int32_t rule, int32_t compute) {
  static constexpr typename Kind::Function in_float[] = {Kind::template of<Rules, float>...};
  static constexpr typename Kind::Function in_double[] = {Kind::template of<Rules, double>...};
  if (rule < 0 || rule >= int32_t(sizeof...(Rules))) return nullptr;
  return compute == ADAMAS_FLOAT64 ? in_double[rule] : in_float[rule];
}

struct Shares {
  using Function = Share;
  template <class Rule, class T>
  static constexpr Function of = do_share<Rule, T>;
};

static Share find(int32_t rule, int32_t compute) { return choose<Shares, ADAMAS_RULES>(rule, compute); }
