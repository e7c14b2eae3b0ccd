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

constexpr int64_t kChunk = 512;  // elements staged at a time when something must be converted: all stays in L1

template <class T>
constexpr int32_t kNative = sizeof(T) == 4 ? ADAMAS_FLOAT32 : ADAMAS_FLOAT64;

static inline int64_t width_of(int32_t dtype) {
  switch (dtype) {
    case ADAMAS_FLOAT64: return 8;
    case ADAMAS_FLOAT32: return 4;
    case ADAMAS_INT8: return 1;
    default: return 2;
  }
}

// ---- strided access ----------------------------------------------------------------------------------------------

// Call each(offset, step, count) for the runs along the last dimension that make up elements start .. start + n.
template <class F>
static inline void for_runs(const AdamasLayout& layout, const int64_t* stride, int64_t start, int64_t n, F each) {
  int64_t at[ADAMAS_MAX_DIMS], offset = 0;
  const int last = layout.dims - 1;
  for (int d = last; d >= 0; --d) {
    at[d] = start % layout.size[d];
    start /= layout.size[d];
    offset += at[d] * stride[d];
  }
  while (n > 0) {
    const int64_t left = layout.size[last] - at[last], run = left < n ? left : n;
    each(offset, stride[last], run);
    n -= run;
    at[last] += run;
    offset += run * stride[last];
    for (int d = last; d > 0 && at[d] == layout.size[d]; --d) {
      offset += stride[d - 1] - at[d] * stride[d];
      at[d] = 0;
      ++at[d - 1];
    }
  }
}

template <class E>
static ADAMAS_APART void gather(const AdamasLayout& layout, const int64_t* stride, const void* from, int64_t start,
                                int64_t n, void* to) {
  const E* source = static_cast<const E*>(from);
  E* target = static_cast<E*>(to);
  for_runs(layout, stride, start, n, [&](int64_t offset, int64_t step, int64_t run) {
    for (int64_t i = 0; i < run; ++i) target[i] = source[offset + i * step];
    target += run;
  });
}

template <class E>
static ADAMAS_APART void scatter(const AdamasLayout& layout, const int64_t* stride, const void* from, int64_t start,
                                 int64_t n, void* to) {
  const E* source = static_cast<const E*>(from);
  E* target = static_cast<E*>(to);
  for_runs(layout, stride, start, n, [&](int64_t offset, int64_t step, int64_t run) {
    for (int64_t i = 0; i < run; ++i) target[offset + i * step] = source[i];
    source += run;
  });
}

// ---- one operand of a block --------------------------------------------------------------------------------------

struct Place {
  void* base;
  int32_t dtype;
  const AdamasLayout* layout;  // NULL when flat
  const int64_t* stride;

  char* flat_at(int64_t start) const { return static_cast<char*>(base) + start * width_of(dtype); }
};

static inline Place place_of(const AdamasLaunch& launch, int64_t tensor, int operand) {
  const AdamasLayout* layout = launch.layout[tensor];
  if (layout && ((layout->flat >> operand) & 1)) layout = nullptr;
  return {launch.operand[operand][tensor], launch.dtype[operand], layout, layout ? layout->stride[operand] : nullptr};
}

template <class T>
static inline bool in_place(const Place& place) {
  return !place.layout && place.dtype == kNative<T>;
}

template <class T>
static ADAMAS_APART void widen(const void* from, int32_t dtype, int64_t n, T* to) {
  if (dtype == ADAMAS_BFLOAT16) {
    const uint16_t* h = static_cast<const uint16_t*>(from);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = T(from_bfloat16(h[i]));
  } else if (dtype == ADAMAS_FLOAT16) {
    const uint16_t* h = static_cast<const uint16_t*>(from);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = T(from_float16(h[i]));
  } else if (dtype == ADAMAS_FLOAT32) {
    const float* x = static_cast<const float*>(from);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = T(x[i]);
  } else {
    const double* x = static_cast<const double*>(from);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) to[i] = T(x[i]);
  }
}

// A chunk of an operand as it is stored, one element after another.
struct Raw {
  alignas(64) char bytes[kChunk * 8];
};

// Return the operand's elements start .. start + n as stored: where they are if they are flat, else in raw.
static ADAMAS_APART void* fetch_raw(const Place& place, int64_t start, int64_t n, Raw& raw) {
  if (!place.layout) return place.flat_at(start);
  switch (width_of(place.dtype)) {
    case 1: gather<uint8_t>(*place.layout, place.stride, place.base, start, n, raw.bytes); break;
    case 2: gather<uint16_t>(*place.layout, place.stride, place.base, start, n, raw.bytes); break;
    case 4: gather<uint32_t>(*place.layout, place.stride, place.base, start, n, raw.bytes); break;
    default: gather<uint64_t>(*place.layout, place.stride, place.base, start, n, raw.bytes);
  }
  return raw.bytes;
}

// Where to write elements start .. start + n as they are stored; put_raw then brings them there.
static inline void* target_raw(const Place& place, int64_t start, Raw& raw) {
  return place.layout ? raw.bytes : place.flat_at(start);
}

static ADAMAS_APART void put_raw(const Place& place, int64_t start, int64_t n, const Raw& raw) {
  if (!place.layout) return;
  switch (width_of(place.dtype)) {
    case 1: scatter<uint8_t>(*place.layout, place.stride, raw.bytes, start, n, place.base); break;
    case 2: scatter<uint16_t>(*place.layout, place.stride, raw.bytes, start, n, place.base); break;
    case 4: scatter<uint32_t>(*place.layout, place.stride, raw.bytes, start, n, place.base); break;
    default: scatter<uint64_t>(*place.layout, place.stride, raw.bytes, start, n, place.base);
  }
}

// Return the operand's elements start .. start + n as T: where they are if they are T and flat, else in stage.
template <class T>
static inline T* fetch_as(const Place& place, int64_t start, int64_t n, T* stage) {
  if (in_place<T>(place)) return reinterpret_cast<T*>(place.flat_at(start));
  Raw raw;
  widen(fetch_raw(place, start, n, raw), place.dtype, n, stage);
  return stage;
}

// How the elements of a block get their random numbers; index is NULL when it is first + i.
struct Dice {
  bool stochastic;
  Key key;
  uint32_t first;
  const uint32_t* index;

  uint32_t roll(int64_t i) const { return random16(key, index ? index[i] : first + uint32_t(i)); }
};

// float32 values to the 16-bit dtype. The template argument keeps the choice of index out of the loops.
template <bool kIndexed>
static void narrow16(const float* x, int64_t n, const Dice& dice, int32_t dtype, uint16_t* h) {
  const Key key = dice.key;
  const uint32_t first = dice.first;
  const uint32_t* index = dice.index;
  if (dtype == ADAMAS_BFLOAT16) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) h[i] = to_bfloat16(x[i], random16(key, kIndexed ? index[i] : first + uint32_t(i)));
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t r = random16(key, kIndexed ? index[i] : first + uint32_t(i)) >> 3;
      h[i] = to_float16(x[i], r, float(int32_t(r)) * 0x1p-13f);
    }
  }
}

static ADAMAS_APART void narrow(const float* x, int32_t dtype, int64_t n, const Dice& dice, void* to) {
  uint16_t* h = static_cast<uint16_t*>(to);
  if (dtype == ADAMAS_FLOAT64) {
    double* y = static_cast<double*>(to);
    for (int64_t i = 0; i < n; ++i) y[i] = x[i];
  } else if (dtype == ADAMAS_FLOAT32) {
    __builtin_memcpy(to, x, size_t(n) * 4);
  } else if (dice.stochastic) {
    dice.index ? narrow16<true>(x, n, dice, dtype, h) : narrow16<false>(x, n, dice, dtype, h);
  } else if (dtype == ADAMAS_BFLOAT16) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) h[i] = to_bfloat16_nearest(x[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) h[i] = to_float16_nearest(x[i]);
  }
}

// A double goes to 16 bits by way of float32, as torch does it; the 29 bits lost first are far below the grain.
static ADAMAS_APART void narrow(const double* x, int32_t dtype, int64_t n, const Dice& dice, void* to) {
  if (dtype == ADAMAS_FLOAT64) {
    __builtin_memcpy(to, x, size_t(n) * 8);
    return;
  }
  alignas(64) float y[kChunk];
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = float(x[i]);
  narrow(y, dtype, n, dice, to);
}

// Write the block back if it was staged.
template <class T>
static inline void put_as(const Place& place, int64_t start, int64_t n, const T* values, const Dice& dice) {
  if (in_place<T>(place)) return;
  Raw raw;
  narrow(values, place.dtype, n, dice, target_raw(place, start, raw));
  put_raw(place, start, n, raw);
}

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
