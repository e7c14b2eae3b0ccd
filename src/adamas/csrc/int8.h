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

// A number in 0 .. 1, never 1, for every element of a unit: one hash, and a golden section of the circle further each time.
struct Chances {
  Words further[kSixteen];

  // top is what the block's scale is made of: only its mantissa counts.
  Chances(Key key, float top) {
    const uint32_t h = hash32(key, bits_of(top) & 0x7fffffu);
    Words steps;
    for (int lane = 0; lane < kLanes; ++lane) steps[lane] = uint32_t(lane) * kGolden;
    for (int k = 0; k < kSixteen; ++k) further[k] = steps + (h + uint32_t(k * kLanes) * kGolden);
  }

  // Of register k of the next 16 elements: the upper 23 bits are the mantissa of a float in 1 .. 2.
  Floats next(int k) {
    const Floats chance = Floats((further[k] >> 9) | 0x3f800000u) - 1.0f;
    further[k] += 16 * kGolden;
    return chance;
  }
};

static inline Ints whole(Floats x) { return __builtin_convertvector(x, Ints); }

// The whole part is k = floor(sqrt(w)) or k + 1, with the probability (w - k^2) / (2 k + 1) that makes the mean of its
// square w: k + 1 where s >= 1 - that, s being chance, which is (k + 1 - s)^2 <= w - s + s^2.
static inline Floats square_at_random(Floats w, Floats chance) {
  const Floats below = w - (chance - chance * chance);
  return smaller(root(larger(below, Floats{})) + chance, splat(127.0f));
}

// k = floor(sqrt(y)) or k + 1, with the probability that makes the mean of its fourth power y^2: of y^2 - k^4 in
// (k + 1)^4 - k^4, both in factors. At least 1.
static inline Ints fourth_at_random(Floats y, Floats chance) {
  y = larger(y, splat(1.0f));
  const Ints k = whole(root(y));
  const Floats q = to_floats(k), square = q * q, e = q + (q + 1.0f);
  const Ints up = chance * (e * ((square + square) + e)) < (y - square) * (y + square);
  return k - up;
}

// Of a slot with signs, of which top is the largest magnitude.
static float encode_unit(const float* values, float top, Key key, int8_t* codes) {
  if (!(top >= kSignedTiny && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top < kSignedTiny ? 0.0f : not_a_number();
  }
  const Floats factor = splat(kSigned / top);
  Chances chances(key, top);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats x = load(values + i + k * kLanes);
      const Floats q = square_at_random(magnitude(x) * factor, chances.next(k));
      code[k] = whole(Floats(Words(q) | (Words(x) & 0x80000000u)));
    }
    store_codes(codes + i, code);
  }
  return top;
}

// Of the roots of a slot without signs, of which top is the largest.
static float encode_unit(const float* roots, float top, Key key, uint8_t* codes) {
  if (!(top > 0.0f && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top == 0.0f ? 0.0f : not_a_number();
  }
  const Floats factor = splat(kUnsigned / top);
  Chances chances(key, top);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats y = load(roots + i + k * kLanes) * factor;
      code[k] = fourth_at_random(y, chances.next(k)) & Ints(y > 0.0f);
    }
    store_codes(codes + i, code);
  }
  return top;
}
