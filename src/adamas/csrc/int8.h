// One byte an element: formats/int8.py has the code maps. Units of 128 staged floats, filled up with zeros.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
// Of a code only the lowest byte is kept, so the bits of kMagic need not be taken off.

constexpr float kSigned = 16129.0f, kUnsigned = 65025.0f;  // 127^2, 255^2
constexpr float kPerSigned = float(1.0 / 16129.0), kPerUnsigned = float(1.0 / 65025.0);

static inline Floats fourth(Floats x) { return (x * x) * (x * x); }

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

constexpr int32_t kGolden = 40503;  // 2^16 over the golden ratio

// A number in 0 .. 1 for every element of a unit: one hash, and a golden section of the circle further each time.
struct Chances {
  Ints further[kSixteen];

  // top is what the block's scale is made of: only its mantissa counts.
  Chances(Key key, float top) {
    const int32_t h = int32_t(hash32(key, bits_of(top) & 0x7fffffu) & 0xffffu);  // so that no sum overflows
    for (int k = 0; k < kSixteen; ++k) {
      for (int lane = 0; lane < kLanes; ++lane) further[k][lane] = h + (k * kLanes + lane) * kGolden;
    }
  }

  // Of register k of the next 16 elements.
  Floats next(int k) {
    const Floats chance = (to_floats(further[k] & 0xffff) + 0.5f) * 0x1p-16f;
    further[k] += 16 * kGolden;
    return chance;
  }
};

static inline Floats floor_of(Floats t) {
  const Floats near = (t + kMagic) - kMagic;
  return near > t ? near - 1.0f : near;
}

// k = floor(sqrt(w)) or k + 1, with the probability that makes the mean of its square w.
static inline Floats square_at_random(Floats w, Floats chance) {
  const Floats k = floor_of(root(w)), up = k + 1.0f;
  return smaller(chance * (k + up) < w - k * k ? up : k, splat(127.0f));
}

// k = floor(sqrt(y)) or k + 1, with the probability that makes the mean of its fourth power y^2; at least 1 if y > 0.
static inline Floats fourth_at_random(Floats y, Floats chance) {
  const Floats k = floor_of(root(y)), up = k + 1.0f, below = fourth(k);
  const Floats q = chance * (fourth(up) - below) < y * y - below ? up : k;
  return Floats(Ints(smaller(larger(q, splat(1.0f)), splat(255.0f))) & Ints(y > 0.0f));
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
      code[k] = with_sign(Ints(square_at_random(magnitude(x) * factor, chances.next(k)) + kMagic), x);
    }
    store_bytes(codes + i, code);
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
      code[k] = Ints(fourth_at_random(load(roots + i + k * kLanes) * factor, chances.next(k)) + kMagic);
    }
    store_bytes(codes + i, code);
  }
  return top;
}
