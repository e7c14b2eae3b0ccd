// Sums over a tensor that clipping needs: of g^2, and of g^2 over its running mean.
//
// Included by isa_*.cpp after engine.h, inside the namespace of that instruction set. The result is the same for any
// number of threads and any instruction set, and that of engines/norms.py: a tensor is summed in blocks of ADAMAS_BLOCK
// elements; in a block 16 sums in float64 take every 16th element each, and are then added in a fixed order.
// Denormals are not flushed here, because the reference counts them.

constexpr int kSums = 16;
constexpr int kWide = kLanes / 2;  // doubles in a register

typedef double Doubles __attribute__((vector_size(kWide * 8)));

// Compilers convert the general vector element by element.
static inline Doubles load_wide(const float* from) {
#if defined(__AVX512F__)
  return Doubles(_mm512_cvtps_pd(_mm256_loadu_ps(from)));
#elif defined(__AVX2__)
  return Doubles(_mm256_cvtps_pd(_mm_loadu_ps(from)));
#else
  return Doubles{double(from[0]), double(from[1])};
#endif
}

static inline Doubles load_wide(const double* from) {
  Doubles x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

struct Sums {
  Doubles each[kSums / kWide] = {};

  // The square of a float32 is exact in float64.
  template <bool kSquare, class T>
  void add(const T* x, int64_t n) {
    const int64_t whole = n & ~int64_t(kSums - 1), left = n - whole;
    Doubles sums[kSums / kWide];
    for (int k = 0; k < kSums / kWide; ++k) sums[k] = each[k];
    for (int64_t at = 0; at < whole; at += kSums) {
      for (int k = 0; k < kSums / kWide; ++k) {
        const Doubles v = load_wide(x + at + k * kWide);
        sums[k] = sums[k] + (kSquare ? v * v : v);
      }
    }
    for (int k = 0; k < kSums / kWide; ++k) each[k] = sums[k];
    if (!left) return;
    T rest[kSums] = {};
    __builtin_memcpy(rest, x + whole, size_t(left) * sizeof(T));
    add<kSquare>(rest, kSums);
  }

  double total() const {
    double lane[kSums];
    __builtin_memcpy(lane, each, sizeof lane);
    for (int half = kSums / 2; half > 0; half /= 2) {
      for (int k = 0; k < half; ++k) lane[k] += lane[k + half];
    }
    return lane[0];
  }
};

static double squares(const void* from, int32_t dtype, int64_t start, int64_t n) {
  Sums sums;
  if (dtype == ADAMAS_FLOAT32) {
    sums.add<true>(static_cast<const float*>(from) + start, n);
  } else if (dtype == ADAMAS_FLOAT64) {
    sums.add<true>(static_cast<const double*>(from) + start, n);
  } else {
    alignas(64) float stage[kChunk];
    const char* bytes = static_cast<const char*>(from) + start * 2;
    for (int64_t at = 0; at < n; at += kChunk) {
      const int64_t count = n - at < kChunk ? n - at : kChunk;
      widen(bytes + at * 2, dtype, count, stage);
      sums.add<true>(stage, count);
    }
  }
  return sums.total();
}

// What the engine and the rule make of a gradient before its square is divided, and by what.
template <class T>
struct Moment {
  T l2, factor, decay, take, unbias, floor;
};

template <class T>
static void divide(int64_t n, const Moment<T> m, const T* p, const T* g, const T* v, T* ratio) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T scaled = m.factor * g[i], gradient = m.l2 != T(0) ? scaled + m.l2 * p[i] : scaled;
    const T square = gradient * gradient;
    const T mean = (m.decay * v[i] + m.take * square) * m.unbias;
    const T below = mean < m.floor ? m.floor : mean;
    ratio[i] = square == T(0) ? T(0) : square / below;
  }
}

template <class T>
static double ratios(const AdamasLaunch& launch, const double* moments, int slot, int64_t tensor, int64_t start,
                     int64_t end) {
  const double* row = launch.scalars + int64_t(launch.row[tensor]) * launch.scalars_per_row;
  const double* own = moments + int64_t(launch.row[tensor]) * 4;
  const Moment<T> m = {T(row[1]), T(row[2]), T(own[0]), T(own[1]), T(own[2]), T(own[3])};
  const Place g = place_of(launch, tensor, 1), v = place_of(launch, tensor, 2 + slot);
  const Weight p = weight_of(launch, tensor);
  alignas(64) T stage[4][kChunk];
  Sums sums;
  for (int64_t at = start; at < end; at += kChunk) {
    const int64_t n = end - at < kChunk ? end - at : kChunk;
    const T* mean = stage[2];
    if (in_blocks(v.dtype)) {
      read_blocks(launch, tensor, slot, at, n, stage[2]);
    } else {
      mean = fetch_as<T>(v, at, n, stage[2]);
    }
    divide(n, m, p.fetch(at, n, stage[0]), fetch_as<T>(g, at, n, stage[1]), mean, stage[3]);
    sums.add<false>(stage[3], n);
  }
  return sums.total();
}

static double ratios_of(const AdamasLaunch& launch, const double* moments, int slot, int64_t tensor, int64_t start, int64_t end) {
  return launch.compute == ADAMAS_FLOAT64 ? ratios<double>(launch, moments, slot, tensor, start, end)
                                          : ratios<float>(launch, moments, slot, tensor, start, end);
}
