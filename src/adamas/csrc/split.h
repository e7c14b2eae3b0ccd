// 16-bit weights with more bits of them beside: rounding/split.py has the definitions. Staged, a chunk at a time.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// The step from one float16 to the next is 2^(exponent - 25), exponent at least 1.
static inline int32_t exponent_of_float16(uint16_t h) {
  const int32_t e = (h >> 10) & 31;
  return e < 1 ? 1 : e;
}

template <class Low>
constexpr int kLowBits = sizeof(Low) == 2 ? 15 : 8;  // of float16's step

template <class Low>
static void join(const uint16_t* h, const Low* low, int32_t dtype, int64_t n, float* x) {
  constexpr int32_t unit = sizeof(Low) == 2 ? 1 : 256;
  if (dtype == ADAMAS_BFLOAT16) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) x[i] = float_of((uint32_t(h[i]) << 16) + uint32_t(int32_t(low[i]) * unit));
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const float step = float_of(uint32_t(exponent_of_float16(h[i]) + 102 - kLowBits<Low>) << 23);
      x[i] = from_float16(h[i]) + float(low[i]) * step;
    }
  }
}

template <class Low>
static void part(const float* x, int32_t dtype, int64_t n, uint16_t* h, Low* low) {
  if (dtype == ADAMAS_BFLOAT16) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t b = bits_of(x[i]), hi = (b + 0x8000u) >> 16;
      const int32_t rest = int32_t(b - (hi << 16)), byte = (rest + 128) >> 8;
      const bool nan = (b & 0x7fffffffu) > 0x7f800000u;
      h[i] = uint16_t(nan ? 0x7fc0u : hi);
      low[i] = Low(nan ? 0 : (sizeof(Low) == 2 ? rest : (byte > 127 ? 127 : byte)));
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const uint16_t hi = to_float16_nearest(x[i]);
      const float per_step = float_of(uint32_t(152 + kLowBits<Low> - exponent_of_float16(hi)) << 23);
      const float rest = ((x[i] - from_float16(hi)) * per_step + kMagic) - kMagic;
      const float most = sizeof(Low) == 2 ? 16384.0f : 127.0f;
      const float clamped = rest > most ? most : (rest < -most ? -most : rest);
      h[i] = hi;
      low[i] = Low((hi & 0x7c00u) == 0x7c00u ? 0 : int32_t(clamped));
    }
  }
}
