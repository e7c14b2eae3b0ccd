// The operands of a launch: where elements lie, strided or flat, and what they are as the type that is computed in.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

constexpr int64_t kChunk = 512;  // elements staged at a time when something must be converted: all stays in L1

template <class T>
constexpr int32_t kNative = sizeof(T) == 4 ? ADAMAS_FLOAT32 : ADAMAS_FLOAT64;

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
