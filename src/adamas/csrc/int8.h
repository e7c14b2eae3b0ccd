// One byte an element: formats/int8.py has the code maps. Units of 128 staged floats, filled up with zeros.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

constexpr float kSigned = 16129.0f, kUnsigned = 65025.0f;  // 127^2, 255^2
constexpr float kSettled = 1024.0f;  // 32^2: from this w on, m is rounded to nearest
constexpr float kPerSigned = float(1.0 / 16129.0), kPerUnsigned = float(1.0 / 65025.0);

static inline Floats decode(const int8_t* codes, Floats c) {
  const Floats q = to_floats(load_bytes(codes));
  return (q * magnitude(q)) * c;
}

static inline Floats decode(const uint8_t* codes, Floats c) {
  const Floats q = to_floats(load_bytes(codes)), square_root = (q * q) * c;
  return square_root * square_root;
}

static inline float factor_of(const int8_t*, float scale) { return scale * kPerSigned; }
static inline float factor_of(const uint8_t*, float scale) { return scale * kPerUnsigned; }

template <class Code>
static void decode_unit(const Code* codes, float scale, float* values) {
  const Floats c = splat(factor_of(codes, scale));
  for (int64_t i = 0; i < kUnit; i += kLanes) store(values + i, decode(codes + i, c));
}

constexpr uint32_t kGolden = 2654435769u;  // 2^32 over the golden ratio

// What all elements of a block share: the number that a code of them is multiplied by is made of `scale`.
struct Scaling {
  float scale, factor;  // factor 0: all codes are 0
  uint32_t chance;
};

// most: the square of the largest code; top: the largest magnitude of the block, of which only the mantissa
// counts for chance.
static inline Scaling scaling_of(float top, float tiny, float most, Key key) {
  if (!(top >= tiny && top < kHuge)) return {top < tiny ? 0.0f : not_a_number(), 0.0f, 0};
  return {top, most / top, hash32(key, bits_of(top) & 0x7fffffu)};
}

static inline Scaling scaling_of(const int8_t*, float top, Key key) { return scaling_of(top, kSignedTiny, kSigned, key); }
static inline Scaling scaling_of(const uint8_t*, float top, Key key) { return scaling_of(top, kTiny, kUnsigned, key); }

// A random number for every element of a unit: a golden section of the circle further each time.
struct Chances {
  Words further[kSixteen];

  explicit Chances(uint32_t h) {
    Words steps;
    for (int lane = 0; lane < kLanes; ++lane) steps[lane] = uint32_t(lane) * kGolden;
    for (int k = 0; k < kSixteen; ++k) further[k] = steps + (h + uint32_t(k * kLanes) * kGolden);
  }

  // Of register k of the next 16 elements: their upper bits, as whole numbers.
  Floats next(int k, int bits) {
    const Floats chance = to_floats(Ints(further[k] >> (32 - bits)));
    further[k] += 16 * kGolden;
    return chance;
  }
};

static inline Ints whole(Floats x) { return __builtin_convertvector(x, Ints); }

// The whole part is k = floor(sqrt(w)) or k + 1, with the probability (w - k^2) / (2 k + 1) that makes the mean of its
// square w: k + 1 where s >= 1 - that, s being chance, which is (k + 1 - s)^2 <= w - s + s^2. The square of the 12 bits of s
// is exact. With s = 1/2 it is to nearest.
static inline Floats square_at_random(Floats w, Floats chance) {
  const Floats s = w < splat(kSettled) ? chance : splat(0.5f);
  return root(larger(fused(s, s, w - s), Floats{})) + s;
}

// k = floor(sqrt(y)) or k + 1, with the probability that makes the mean of its fourth power y^2: of y^2 - k^4 in
// (k + 1)^4 - k^4, both in factors, of which those with k alone are exact. With a = 2 k + 1 the latter is
// a (a^2 + 1) / 2, times 2^-23 here, since chance is a whole number below 2^23. At least 1 if y > 0.
static inline Ints fourth_at_random(Floats y, Floats root_of_y, Floats chance) {
  const Ints k = whole(root_of_y);
  const Floats q = to_floats(k), a = fused(q, splat(0x1p-7f), splat(0x1p-8f));
  const Ints up = chance * (a * fused(a, a, splat(0x1p-16f))) < fused(-q, q, y) * fused(q, q, y);
  return larger(k - up, smaller(Ints(y), Ints{} + 1));
}

// Codes of a unit: code_of gives those of a register from the element that it begins with and its place in 16 elements.
template <class Code, class F>
static ADAMAS_INLINE void encode(const Scaling& scaling, Code* codes, F code_of) {
  if (scaling.factor == 0.0f) {
    __builtin_memset(codes, 0, kUnit);
    return;
  }
  Chances chances(scaling.chance);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) code[k] = code_of(i + k * kLanes, k, chances);
    store_codes(codes + i, code);
  }
}

static void encode_unit(const float* values, const Scaling& scaling, int8_t* codes) {
  const Floats factor = splat(scaling.factor);
  encode(scaling, codes, [&](int64_t i, int k, Chances& chances) __attribute__((always_inline)) {
    const Floats x = load(values + i), chance = chances.next(k, 12) * 0x1p-12f;
    return whole(Floats(Words(square_at_random(magnitude(x) * factor, chance)) | (Words(x) & 0x80000000u)));
  });
}

// What the codes without signs of two registers are made of: y, in the place of r, and its root.
static ADAMAS_INLINE void prepare(float* values, float* roots, const Scaling& scaling) {
  const Floats factor = splat(scaling.factor);
  const Pair r = load_pair(values), y = {r.low * factor, r.high * factor};
  store_pair(values, y);
  store_pair(roots, {root(y.low), root(y.high)});
}

static void encode_unit(const float* y, const float* roots, const Scaling& scaling, uint8_t* codes) {
  encode(scaling, codes, [&](int64_t i, int k, Chances& chances) __attribute__((always_inline)) {
    return fourth_at_random(load(y + i), load(roots + i), chances.next(k, 23));
  });
}

// Write a unit's codes, return its scale.
static float write_unit(const float* values, Key key, int8_t* codes) {
  const Scaling scaling = scaling_of(codes, largest(values, kUnit), key);
  encode_unit(values, scaling, codes);
  return scaling.scale;
}

static float write_unit(const float* values, Key key, uint8_t* codes) {
  alignas(64) float y[kUnit], roots[kUnit];
  for (int64_t i = 0; i < kUnit; i += kLanes) store(y + i, root(load(values + i)));
  const Scaling scaling = scaling_of(codes, largest(y, kUnit), key);
  for (int64_t i = 0; i < kUnit; i += 2 * kLanes) prepare(y + i, roots + i, scaling);
  encode_unit(y, roots, scaling, codes);
  return scaling.scale;
}
