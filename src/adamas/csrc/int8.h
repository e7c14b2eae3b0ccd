// One byte an element: formats/int8.py has the code maps. Units of 128 staged floats, filled up with zeros.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
//
// A code is where a power of the value lies between exact thresholds. It is found from an estimate of the root that is
// a little too small (0.999 makes up for its error of 2^-11), so that one comparison corrects it: the same code for every
// instruction set's estimate.

constexpr float kPerSigned = float(1.0 / 16129.0), kPerUnsigned = float(1.0 / 65025.0), kTop = 4228250625.0f;
constexpr float kBelow = 0.999f;

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

// 1 at lanes where the comparison held, else 0.
static inline Floats one_where(Ints held) { return Floats(held & int32_t(0x3f800000)); }

static float encode_unit(const float* values, float top, const Rolling&, int8_t* codes) {
  if (!(top >= kSignedTiny && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top < kSignedTiny ? 0.0f : not_a_number();
  }
  const Floats inverse = splat(1.0f / top);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints q[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats x = load(values + i + k * kLanes);
      const Floats w = (magnitude(x) * inverse) * 16129.0f;
      const Floats guess = w * reciprocal_root(maximum<Floats>(w, splat(1e-30f))) * kBelow;
      const Floats half = to_whole(guess) + 0.5f;
      const Ints code = whole_bits(guess) - Ints(w >= half * half), sign = Ints(x) >> 31;
      q[k] = (code ^ sign) - sign;
    }
    store_bytes(codes + i, q);
  }
  return top;
}

static inline Floats fourth_root(Floats w) {
  return reciprocal_root(reciprocal_root(maximum<Floats>(w, splat(1e-30f)))) * kBelow;
}

// At least 1 where v > 0, else 0.
static inline Floats positive(Floats q, Floats v) {
  const Floats one = splat(1.0f);
  return Floats(Ints(q > one ? q : one) & Ints(v > 0.0f));
}

static float encode_nearest(const float* values, float top, uint8_t* codes) {
  const Floats inverse = splat(1.0f / top);
  LaneSum kept, read;
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats v = load(values + i + k * kLanes), w = (v * inverse) * kTop;
      const Floats below = to_whole(fourth_root(w));
      const Floats q = positive(below + one_where(w >= fourth(below + 0.5f)), v);
      code[k] = whole_bits(q);
      kept.part[k] += w;
      read.part[k] += fourth(q);
    }
    store_bytes(codes + i, code);
  }
  return __builtin_sqrtf(top * (kept.total() / read.total()));
}

static float encode_stochastic(const float* values, float top, const Rolling& rolling, uint8_t* codes) {
  const Floats inverse = splat(1.0f / top);
  Ints rolls[kUnit / kLanes];
  rolling.roll(rolls);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const int64_t at = i + k * kLanes;
      const Floats v = load(values + at), w = (v * inverse) * kTop;
      Floats down = to_whole(fourth_root(w) - 0.5f);
      down = down > 0.0f ? down : Floats{};
      down = down + one_where(w >= fourth(down + 1.0f));
      const Floats under = fourth(down), step = fourth(down + 1.0f) - under;
      const Floats chance = to_floats(2 * rolls[at / kLanes] + 1) * 0x1p-17f;
      Floats q = positive(down + one_where(chance * step < w - under), v);
      q = q > 255.0f ? splat(255.0f) : q;
      code[k] = whole_bits(q);
    }
    store_bytes(codes + i, code);
  }
  return __builtin_sqrtf(top);
}

static float encode_unit(const float* values, float top, const Rolling& rolling, uint8_t* codes) {
  if (!(top >= kTiny && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top < kTiny ? 0.0f : not_a_number();
  }
  return rolling.stochastic ? encode_stochastic(values, top, rolling, codes) : encode_nearest(values, top, codes);
}
