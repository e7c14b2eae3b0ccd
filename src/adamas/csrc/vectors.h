// A register of floats: for loops over elements of different widths, which compilers do not vectorise well by themselves.
// Rules run on it as they are (rules.generated.h is a template), with the same bits as on single floats.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// A compiler inlines less the more rules a file has: with 14 of them an int8 step took 1.3 times as long as with one.
#define ADAMAS_INLINE inline __attribute__((always_inline))

// What is called for a unit, a chunk or a block of elements, not for each: there once, not in all that calls it. That is a
// quarter of the library, and of the time to compile it.
#define ADAMAS_APART __attribute__((noinline))

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(kLanes * 2)));
#if defined(__AVX512F__)
typedef uint16_t Wide __attribute__((vector_size(64)));
#endif
typedef int8_t Bytes __attribute__((vector_size(kLanes)));
typedef uint8_t UnsignedBytes __attribute__((vector_size(kLanes)));

static inline Floats splat(float x) { return x - Floats{}; }
static inline Words splat(uint32_t x) { return x - Words{}; }

static inline Floats load(const float* from) {
  Floats x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

static inline void store(float* to, Floats x) { __builtin_memcpy(to, &x, sizeof x); }

// What is computed from x comes after what stands before this. Compilers move a request for memory, on which nothing
// depends, behind arithmetic; it then has to wait with it.
static ADAMAS_INLINE void hold(Floats& x) {
#if defined(__SSE2__)
  __asm__ volatile("" : "+v"(x));
#elif defined(__ARM_NEON)
  __asm__ volatile("" : "+w"(x));
#else
  (void)x;
#endif
}

// ---- the words of vocabulary.h that differ on registers ------------------------------------------------------------

static inline Floats magnitude(Floats x) { return Floats(Words(x) & 0x7fffffffu); }

static inline Floats root(Floats x) {
#if defined(__AVX512F__)
  return Floats(_mm512_sqrt_ps(__m512(x)));
#elif defined(__AVX2__)
  return Floats(_mm256_sqrt_ps(__m256(x)));
#elif defined(__SSE2__)
  return Floats(_mm_sqrt_ps(__m128(x)));
#elif defined(__ARM_NEON)
  return Floats(vsqrtq_f32(float32x4_t(x)));
#else
  for (int k = 0; k < kLanes; ++k) x[k] = __builtin_sqrtf(x[k]);
  return x;
#endif
}

// Whether a >= b in all lanes; false with a NaN.
static inline bool all_at_least(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_NGE_UQ) == 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps(__m256(a), __m256(b), _CMP_NGE_UQ)) == 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps(_mm_cmpnge_ps(__m128(a), __m128(b))) == 0;
#elif defined(__ARM_NEON)
  return vminvq_u32(uint32x4_t(a >= b)) != 0;
#else
  bool all = true;
  for (int k = 0; k < kLanes; ++k) all = all && a[k] >= b[k];
  return all;
#endif
}

// a b + c where a b is exact, so that rounding once or twice is the same.
static inline Floats fused(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return Floats(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#elif defined(__AVX2__)
  return Floats(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
#elif defined(__ARM_NEON)
  return Floats(vfmaq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b)));
#else
  return a * b + c;
#endif
}

// ---- doubles, of which a register has half as many -------------------------------------------------------------------

typedef double Doubles __attribute__((vector_size(kLanes * 4)));
typedef int64_t Longs __attribute__((vector_size(kLanes * 4)));

static inline Doubles splat(double x) { return x - Doubles{}; }

static inline Doubles load(const double* from) {
  Doubles x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}

static inline void store(double* to, Doubles x) { __builtin_memcpy(to, &x, sizeof x); }

static inline Doubles magnitude(Doubles x) { return Doubles(Longs(x) & 0x7fffffffffffffffll); }

static inline Doubles larger(Doubles a, Doubles b) { return a > b ? a : b; }

static inline Doubles root(Doubles x) {
#if defined(__AVX512F__)
  return Doubles(_mm512_sqrt_pd(__m512d(x)));
#elif defined(__AVX2__)
  return Doubles(_mm256_sqrt_pd(__m256d(x)));
#elif defined(__SSE2__)
  return Doubles(_mm_sqrt_pd(__m128d(x)));
#elif defined(__ARM_NEON)
  return Doubles(vsqrtq_f64(float64x2_t(x)));
#else
  for (int k = 0; k < kLanes / 2; ++k) x[k] = __builtin_sqrt(x[k]);
  return x;
#endif
}

// ---- bfloat16, two registers at a time -----------------------------------------------------------------------------

struct Pair {
  Floats low, high;  // elements 0 .. kLanes - 1, kLanes .. 2 kLanes - 1
};

static inline Pair load_pair(const float* from) { return {load(from), load(from + kLanes)}; }

static inline void store_pair(float* to, Pair x) {
  store(to, x.low);
  store(to + kLanes, x.high);
}

static inline Pair load_pair(const uint16_t* from) {
#if defined(__AVX512F__)
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + kLanes));
  return {Floats(_mm512_slli_epi32(_mm512_cvtepu16_epi32(low), 16)),
          Floats(_mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16))};
#elif !defined(__SSE2__)
  Halves low, high;
  __builtin_memcpy(&low, from, sizeof low);
  __builtin_memcpy(&high, from + kLanes, sizeof high);
  return {Floats(__builtin_convertvector(low, Words) << 16), Floats(__builtin_convertvector(high, Words) << 16)};
#elif defined(__AVX2__)
  // unpack works within halves of the register, so its middle quarters are swapped first.
  const __m256i both = _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), 0xd8);
  const __m256i zero = _mm256_setzero_si256();
  return {Floats(_mm256_unpacklo_epi16(zero, both)), Floats(_mm256_unpackhi_epi16(zero, both))};
#else
  const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), zero = _mm_setzero_si128();
  return {Floats(_mm_unpacklo_epi16(zero, both)), Floats(_mm_unpackhi_epi16(zero, both))};
#endif
}

static inline bool any_nan(Pair x) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(__m512(x.low), __m512(x.high), _CMP_UNORD_Q) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps(__m256(x.low), __m256(x.high), _CMP_UNORD_Q)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps(_mm_cmpunord_ps(__m128(x.low), __m128(x.high))) != 0;
#elif defined(__ARM_NEON)
  return vminvq_u32(uint32x4_t((x.low == x.low) & (x.high == x.high))) == 0;
#else
  return true;
#endif
}

// Store the upper halves of the words.
static inline void store_upper(uint16_t* to, Words low, Words high) {
#if defined(__AVX512F__)
  Wide odd;  // the upper halves of both registers, which the compiler makes one permutation
  for (int k = 0; k < 2 * kLanes; ++k) odd[k] = uint16_t(2 * k + 1);
  _mm512_storeu_si512(to, _mm512_permutex2var_epi16(__m512i(low), __m512i(odd), __m512i(high)));
#elif !defined(__SSE2__)
  const Halves first = __builtin_convertvector(low >> 16, Halves), second = __builtin_convertvector(high >> 16, Halves);
  __builtin_memcpy(to, &first, sizeof first);
  __builtin_memcpy(to + kLanes, &second, sizeof second);
#elif defined(__AVX2__)
  const __m256i both = _mm256_packs_epi32(_mm256_srai_epi32(__m256i(low), 16), _mm256_srai_epi32(__m256i(high), 16));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(both, 0xd8));
#else
  const __m128i both = _mm_packs_epi32(_mm_srai_epi32(__m128i(low), 16), _mm_srai_epi32(__m128i(high), 16));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), both);
#endif
}

// random: what to add below the kept bits. See to_bfloat16 in numbers.h.
static ADAMAS_INLINE void store_bfloat16(uint16_t* to, Pair x, Words random_low, Words random_high) {
  Words low = Words(x.low) + random_low, high = Words(x.high) + random_high;
  if (__builtin_expect(any_nan(x), 0)) {
    const Words nan = splat(0x7fc00000u);
    low = x.low != x.low ? nan : low;
    high = x.high != x.high ? nan : high;
  }
  store_upper(to, low, high);
}

static inline Words to_nearest(Floats x) { return 0x7fffu + ((Words(x) >> 16) & 1u); }

// ---- random numbers --------------------------------------------------------------------------------------------------

constexpr int kStrip = 32, kRolls = kStrip / 2 / kLanes;

// The 16 random bits of elements first .. first + 31, first a multiple of 32: see random16 in numbers.h.
struct Rolls {
  Words both[kRolls];  // of elements i and i + 16

  Rolls() = default;

  ADAMAS_INLINE Rolls(Key key, uint32_t first) {
    Words further;
    for (int k = 0; k < kLanes; ++k) further[k] = uint32_t(k) * kTwoGolden;
    const uint32_t h = hash32(key, first >> 5);
    for (int k = 0; k < kRolls; ++k) both[k] = further + (h + uint32_t(k * kLanes) * kTwoGolden);
  }

  // Of the elements of register k of the strip.
  Words of(int k) const { return k < kRolls ? both[k] & 0xffffu : both[k - kRolls] >> 16; }
};

// ---- bytes -----------------------------------------------------------------------------------------------------------

static inline Ints load_bytes(const int8_t* from) {
#if defined(__AVX512F__)
  return Ints(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
  return Ints(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  Bytes x;
  __builtin_memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Ints);
#endif
}

static inline Ints load_bytes(const uint8_t* from) {
#if defined(__AVX512F__)
  return Ints(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
  return Ints(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  UnsignedBytes x;
  __builtin_memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Ints);
#endif
}

constexpr int kSixteen = 16 / kLanes;  // registers that hold 16 elements
static inline Ints larger(Ints a, Ints b) { return a > b ? a : b; }
static inline Ints smaller(Ints a, Ints b) { return a < b ? a : b; }

// Store 16 words as bytes: those out of range as the nearest that is in it.
static inline void store_codes(int8_t* to, const Ints* x) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(__m512i(x[0])));
#elif defined(__AVX2__)
  const __m256i ordered = _mm256_permute4x64_epi64(_mm256_packs_epi32(__m256i(x[0]), __m256i(x[1])), 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
#elif defined(__SSE2__)
  const __m128i low = _mm_packs_epi32(__m128i(x[0]), __m128i(x[1])), high = _mm_packs_epi32(__m128i(x[2]), __m128i(x[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(low, high));
#else
  for (int k = 0; k < kSixteen; ++k) {
    const Ints capped = smaller(larger(x[k], Ints{} - 128), Ints{} + 127);
    const Bytes bytes = __builtin_convertvector(capped, Bytes);
    __builtin_memcpy(to + k * kLanes, &bytes, sizeof bytes);
  }
#endif
}

// None is negative.
static inline void store_codes(uint8_t* to, const Ints* x) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(__m512i(x[0])));
#elif defined(__AVX2__)
  const __m256i ordered = _mm256_permute4x64_epi64(_mm256_packs_epi32(__m256i(x[0]), __m256i(x[1])), 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
#elif defined(__SSE2__)
  const __m128i low = _mm_packs_epi32(__m128i(x[0]), __m128i(x[1])), high = _mm_packs_epi32(__m128i(x[2]), __m128i(x[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(low, high));
#else
  for (int k = 0; k < kSixteen; ++k) {
    const UnsignedBytes bytes = __builtin_convertvector(smaller(x[k], Ints{} + 255), UnsignedBytes);
    __builtin_memcpy(to + k * kLanes, &bytes, sizeof bytes);
  }
#endif
}

// Store the lowest bytes of 16 words.
static inline void store_bytes(void* to, const Ints* x) {
  Ints lowest[kSixteen];
  for (int k = 0; k < kSixteen; ++k) lowest[k] = x[k] & 0xff;
  store_codes(static_cast<uint8_t*>(to), lowest);
}

static inline Floats to_floats(Ints x) { return __builtin_convertvector(x, Floats); }

// Store the lowest bytes of two registers of words.
static inline void store_byte_pair(int8_t* to, Ints low, Ints high) {
  const Ints both[2] = {low, high};
  if constexpr (kSixteen == 2) {
    store_bytes(to, both);
  } else {
    for (int k = 0; k < 2; ++k) {
      const Bytes bytes = __builtin_convertvector(both[k], Bytes);
      __builtin_memcpy(to + k * kLanes, &bytes, sizeof bytes);
    }
  }
}

// a where it is larger, else b; b if either is NaN.
static inline Floats larger(Floats a, Floats b) {
#if defined(__AVX512F__)
  return Floats(_mm512_max_ps(__m512(a), __m512(b)));
#elif defined(__AVX2__)
  return Floats(_mm256_max_ps(__m256(a), __m256(b)));
#elif defined(__SSE2__)
  return Floats(_mm_max_ps(__m128(a), __m128(b)));
#else
  return a > b ? a : b;
#endif
}

// a where it is smaller, else b.
static inline Floats smaller(Floats a, Floats b) {
#if defined(__AVX512F__)
  return Floats(_mm512_min_ps(__m512(a), __m512(b)));
#elif defined(__AVX2__)
  return Floats(_mm256_min_ps(__m256(a), __m256(b)));
#elif defined(__SSE2__)
  return Floats(_mm_min_ps(__m128(a), __m128(b)));
#else
  return a < b ? a : b;
#endif
}
