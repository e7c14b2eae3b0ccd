// One byte an element: formats/int8.py has the code maps. Units of 128 staged floats, filled up with zeros.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

constexpr float kSigned = 16129.0f, kUnsigned = 65025.0f;  // 127^2, 255^2
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

// A number in 0 .. 1, never 1, for every element of a unit: a golden section of the circle further each time.
// The upper bits are the mantissa of a float in 1 .. 2.
struct Chances {
  Words further[kSixteen];

  explicit Chances(uint32_t h) {
    Words steps;
    for (int lane = 0; lane < kLanes; ++lane) steps[lane] = uint32_t(lane) * kGolden;
    for (int k = 0; k < kSixteen; ++k) further[k] = steps + (h + uint32_t(k * kLanes) * kGolden);
  }

  // Of register k of the next 16 elements, with the mantissa bits of the mask.
  Floats next(int k, uint32_t mask) {
    const Floats chance = Floats(((further[k] >> 9) & mask) | 0x3f800000u) - 1.0f;
    further[k] += 16 * kGolden;
    return chance;
  }
};

static inline Ints whole(Floats x) { return __builtin_convertvector(x, Ints); }

// The whole part is k = floor(sqrt(w)) or k + 1, with the probability (w - k^2) / (2 k + 1) that makes the mean of its
// square w: k + 1 where s >= 1 - that, s being chance, which is (k + 1 - s)^2 <= w - s + s^2. The square of the 12 bits of s
// is exact.
static inline Floats square_at_random(Floats w, Floats s) {
  return root(larger(fused(s, s, w - s), Floats{})) + s;
}

// k = floor(sqrt(y)) or k + 1, with the probability that makes the mean of its fourth power y^2: of y^2 - k^4 in
// (k + 1)^4 - k^4, both in factors, of which those with k alone are exact. At least 1 if y > 0.
static inline Ints fourth_at_random(Floats y, Floats chance) {
  const Ints k = whole(root(y));
  const Floats q = to_floats(k), one = splat(1.0f), two = splat(2.0f), h = fused(q, q, q);
  const Floats steps = fused(q, two, one) * fused(h, two, one);
  const Ints up = chance * steps < fused(-q, q, y) * fused(q, q, y);
  return larger(k - up, smaller(Ints(y), Ints{} + 1));
}

// Codes of register k of the next 16 elements: of a slot with signs, and of the roots of one without.
static inline Ints code_of(const int8_t*, Floats x, Floats factor, Chances& chances, int k) {
  const Floats q = square_at_random(magnitude(x) * factor, chances.next(k, 0x7ff800u));
  return whole(Floats(Words(q) | (Words(x) & 0x80000000u)));
}

static inline Ints code_of(const uint8_t*, Floats r, Floats factor, Chances& chances, int k) {
  return fourth_at_random(r * factor, chances.next(k, 0x7fffffu));
}

template <class Code>
static void encode_unit(const float* values, const Scaling& scaling, Code* codes) {
  if (scaling.factor == 0.0f) {
    __builtin_memset(codes, 0, kUnit);
    return;
  }
  const Floats factor = splat(scaling.factor);
  Chances chances(scaling.chance);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) code[k] = code_of(codes, load(values + i + k * kLanes), factor, chances, k);
    store_codes(codes + i, code);
  }
}

// Write a unit's codes, return its scale. From roots where the codes have no signs.
template <class Code>
static float write_unit(const float* values, Key key, Code* codes) {
  const Scaling scaling = scaling_of(codes, largest(values, kUnit), key);
  encode_unit(values, scaling, codes);
  return scaling.scale;
}
