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

// At least 1 where y > 0, else 0.
static inline Floats positive(Floats q, Floats y) {
  return Floats(Ints(larger(q, splat(1.0f))) & Ints(y > 0.0f));
}

static float encode_nearest(const float* roots, float top, uint8_t* codes) {
  const Floats factor = splat(kUnsigned / top);
  LaneSum kept, read;
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats y = load(roots + i + k * kLanes) * factor;
      const Floats at_least = smaller(y * 0x1p120f, splat(0.75f));  // rounds to 1, or is 0 where y is
      const Floats whole = larger(root(y), at_least) + kMagic, q = whole - kMagic;
      code[k] = Ints(whole);
      kept.part[k] += y * y;
      read.part[k] += fourth(q);
    }
    store_bytes(codes + i, code);
  }
  return top * __builtin_sqrtf(kept.total() / read.total());
}

// k = floor(sqrt(y)) or k + 1, with the probability that makes the mean of its fourth power y^2; chance is in 0 .. 1.
static inline Floats at_random(Floats y, Floats chance) {
  const Floats t = root(y), near = (t + kMagic) - kMagic, k = near > t ? near - 1.0f : near;
  const Floats up = k + 1.0f, below = fourth(k), most = splat(255.0f);
  const Floats q = chance * (fourth(up) - below) < y * y - below ? up : k;
  return positive(q > most ? most : q, y);
}

static float encode_at_random(const float* roots, float top, const Rolling& rolling, uint8_t* codes) {
  const Floats factor = splat(kUnsigned / top);
  Ints rolls[kUnit / kLanes];
  rolling.roll(rolls);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const int64_t at = i + k * kLanes;
      const Floats chance = to_floats(2 * rolls[at / kLanes] + 1) * 0x1p-17f;
      code[k] = Ints(at_random(load(roots + at) * factor, chance) + kMagic);
    }
    store_bytes(codes + i, code);
  }
  return top;
}

// Of the roots of a slot without signs.
static float encode_unit(const float* roots, float top, const Rolling& rolling, uint8_t* codes) {
  if (!(top > 0.0f && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top == 0.0f ? 0.0f : not_a_number();
  }
  return rolling.stochastic ? encode_at_random(roots, top, rolling, codes) : encode_nearest(roots, top, codes);
}
