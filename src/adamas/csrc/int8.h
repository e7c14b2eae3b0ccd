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

// round(sqrt(|x| factor)) with the sign of x.
static inline Ints code_signed(Floats x, Floats factor) {
  return with_sign(Ints(root(magnitude(x) * factor) + kMagic), x);
}

static float encode_unit(const float* values, float top, int8_t* codes) {
  if (!(top >= kSignedTiny && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top < kSignedTiny ? 0.0f : not_a_number();
  }
  const Floats factor = splat(kSigned / top);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) code[k] = code_signed(load(values + i + k * kLanes), factor);
    store_bytes(codes + i, code);
  }
  return top;
}

constexpr int32_t kGolden = 40503;  // 2^16 over the golden ratio

// k = floor(sqrt(y)) or k + 1, with the probability that makes the mean of its fourth power y^2; at least 1 if y > 0.
// chance is in 0 .. 1.
static inline Floats at_random(Floats y, Floats chance) {
  const Floats t = root(y), near = (t + kMagic) - kMagic, one = splat(1.0f), most = splat(255.0f);
  const Floats k = near > t ? near - one : near, up = k + one, below = fourth(k);
  const Floats q = chance * (fourth(up) - below) < y * y - below ? up : k;
  return Floats(Ints(smaller(larger(q, one), most)) & Ints(y > 0.0f));
}

// Of the roots of a slot without signs, of which top is the largest.
static float encode_unit(const float* roots, float top, Key key, uint8_t* codes) {
  if (!(top > 0.0f && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top == 0.0f ? 0.0f : not_a_number();
  }
  const Floats factor = splat(kUnsigned / top);
  Ints further[kSixteen];
  const int32_t h = int32_t(hash32(key, bits_of(top) & 0x7fffffu));
  for (int k = 0; k < kSixteen; ++k) {
    for (int lane = 0; lane < kLanes; ++lane) further[k][lane] = h + (k * kLanes + lane) * kGolden;
  }
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats chance = (to_floats(further[k] & 0xffff) + 0.5f) * 0x1p-16f;
      code[k] = Ints(at_random(load(roots + i + k * kLanes) * factor, chance) + kMagic);
      further[k] += 16 * kGolden;
    }
    store_bytes(codes + i, code);
  }
  return top;
}
