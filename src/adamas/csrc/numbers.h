// Number formats and roundings: blocks of 16-bit floats to and from the type that the rule computes in.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
// Written in integers, without branches, so that every compiler vectorises them and denormals survive flush-to-zero.

// Bytes of a number.
static inline int64_t width_of(int32_t dtype) {
  switch (dtype) {
    case ADAMAS_FLOAT64: return 8;
    case ADAMAS_FLOAT32: return 4;
    case ADAMAS_INT8: return 1;
    default: return 2;
  }
}

static inline uint32_t bits_of(float x) {
  uint32_t b;
  __builtin_memcpy(&b, &x, 4);
  return b;
}

static inline float float_of(uint32_t b) {
  float x;
  __builtin_memcpy(&x, &b, 4);
  return x;
}

static inline float from_bfloat16(uint16_t h) { return float_of(uint32_t(h) << 16); }

static inline float from_float16(uint16_t h) {
  const uint32_t magnitude = h & 0x7fffu, sign = uint32_t(h & 0x8000u) << 16;
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = (magnitude << 13) + (224u << 23);  // infinity and NaN: exponent 31 becomes 255
  const uint32_t tiny = bits_of(float(int32_t(magnitude)) * 0x1p-24f);
  const uint32_t b = magnitude >= 0x7c00u ? special : (magnitude < 0x0400u ? tiny : normal);
  return float_of(b | sign);
}

// random = 0x8000 - 1 + lowest kept bit: nearest, ties to even. random uniform in 0..0xffff: stochastic.
static inline uint16_t to_bfloat16(float x, uint32_t random) {
  const uint32_t b = bits_of(x);
  const uint32_t rounded = (b + random) >> 16;
  return uint16_t((b & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

static inline uint16_t to_bfloat16_nearest(float x) { return to_bfloat16(x, 0x7fffu + ((bits_of(x) >> 16) & 1u)); }

// 16 random bits; float16 drops 13 of float32's mantissa bits (more below 2^-14, where its grain is 2^-24).
static inline uint16_t to_float16(float x, uint32_t random13, float random01) {
  const uint32_t b = bits_of(x), magnitude = b & 0x7fffffffu, sign = (b >> 16) & 0x8000u;
  const uint32_t rounded = (magnitude + random13 - (112u << 23)) >> 13;
  const float grains = float_of(magnitude) * 0x1p24f + random01;
  const uint32_t tiny = uint32_t(int32_t(magnitude < 0x38800000u ? grains : 0.0f));
  const uint32_t finite = magnitude < 0x38800000u ? tiny : (rounded > 0x7c00u ? 0x7c00u : rounded);
  const uint32_t h = magnitude > 0x7f800000u ? 0x7e00u : (magnitude >= 0x47800000u ? 0x7c00u : finite);
  return uint16_t(h | sign);
}

static inline uint16_t to_float16_nearest(float x) {
  const uint32_t b = bits_of(x), magnitude = b & 0x7fffffffu, sign = (b >> 16) & 0x8000u;
  const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
  // Adding 1/2 leaves the value's multiple of 2^-24, rounded to nearest even, in the last mantissa bits.
  const uint32_t tiny = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
  const uint32_t finite = magnitude < 0x38800000u ? tiny : (normal > 0x7c00u ? 0x7c00u : normal);
  const uint32_t h = magnitude > 0x7f800000u ? 0x7e00u : (magnitude >= 0x47800000u ? 0x7c00u : finite);
  return uint16_t(h | sign);
}

// Random numbers are a hash of (key, index): the same for any number of threads, any layout and any engine.
// rounding/stochastic.py has the same function on tensors.
struct Key {
  uint32_t a, b;
};

static inline Key make_key(uint64_t stream, uint64_t step, uint64_t operand) {
  uint64_t z = stream + 0x9e3779b97f4a7c15ull * (step * 8 + operand + 1);  // splitmix64 (Steele, Lea & Flood 2014)
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return {uint32_t(z), uint32_t(z >> 32)};
}

// 32 bits for an index.
static inline uint32_t hash32(Key key, uint32_t index) {
  uint32_t x = index + key.a;
  x = (x ^ (x >> 16)) * 0x7feb352du;  // constants of "lowbias32" (Wellons 2018), public domain
  x = ((x ^ (x >> 15)) + key.b) * 0x846ca68bu;
  return x ^ (x >> 16);
}

constexpr uint32_t kTwoGolden = 0x9e379e37u;  // 2^16 over the golden ratio, twice

// 16 bits for element index < 2^32 (the high half of a longer index is mixed into the key). Every 32 elements share a hash:
// each half of it is where 16 of them begin to go round the circle, a golden section further each time.
static inline uint32_t random16(Key key, uint32_t index) {
  const uint32_t x = hash32(key, index >> 5) + (index & 15u) * kTwoGolden;
  return (index & 16u) ? x >> 16 : x & 0xffffu;
}

static inline Key at_high(Key key, uint64_t high) { return {key.a + uint32_t(high) * 0x9e3779b9u, key.b}; }
