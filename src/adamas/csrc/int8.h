// One byte an element: formats/int8.py has the code maps. Units of 128 staged floats, filled up with zeros.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
//
// A code is where a power of the value lies between exact thresholds. It is found from an estimate of the root that is
// a little too small (kBelow makes up for its error), so that one comparison corrects it: the same code whatever the
// instruction set's estimate. Only the lowest byte of a code is kept, so the bits of kMagic need not be taken off.

constexpr float kPerSigned = float(1.0 / 16129.0), kPerUnsigned = float(1.0 / 65025.0), kTop = 4228250625.0f;
constexpr float kBelow = 0.999f, kLiftBelow = 0x1p-94f;

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

// round(sqrt(w)) with the sign of x, w = |x| factor.
static inline Ints code_signed(Floats x, Floats factor) {
  const Floats w = magnitude(x) * factor;
  const Floats whole = about(reciprocal(reciprocal_root(w)), splat(kBelow), splat(kMagic));
  const Floats half = (whole - kMagic) + 0.5f;
  return with_sign(Ints(whole) - Ints(w >= half * half), x);
}

static float encode_unit(const float* values, float top, const Rolling&, int8_t* codes) {
  if (!(top >= kSignedTiny && top < kHuge)) {
    __builtin_memset(codes, 0, kUnit);
    return top < kSignedTiny ? 0.0f : not_a_number();
  }
  const Floats factor = splat(16129.0f / top);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) code[k] = code_signed(load(values + i + k * kLanes), factor);
    store_bytes(codes + i, code);
  }
  return top;
}

// The fourth root of w to the nearest in ratio: n or n + 1, as w is below or above n^2 (n + 1)^2.
static inline Floats nearest_fourth_root(Floats w) {
  const Floats root = reciprocal_root(reciprocal_root(w));
  const Floats n = about(root, splat(kBelow), splat(kMagic)) - kMagic, next = n + 1.0f, middle = n * next;
  return w > middle * middle ? next : n;
}

static float encode_nearest(const float* values, float top, uint8_t* codes) {
  const Floats factor = splat(kTop / top);
  LaneSum kept, read;
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Floats w = load(values + i + k * kLanes) * factor, q = nearest_fourth_root(w);
      code[k] = Ints(q + kMagic);
      kept.part[k] += w;
      read.part[k] += fourth(q);
    }
    store_bytes(codes + i, code);
  }
  return __builtin_sqrtf(top * (kept.total() / read.total()));
}

// Up with the probability (w - k^4) / ((k + 1)^4 - k^4); chance is uniform in 0 .. 1.
static inline Floats stochastic_fourth_root(Floats w, Floats chance) {
  const Floats root = reciprocal_root(reciprocal_root(w));
  Floats k = larger((about(root, splat(kBelow), splat(-0.5f)) + kMagic) - kMagic, Floats{});
  const Floats next = k + 1.0f;
  k = w >= fourth(next) ? next : k;
  const Floats below = fourth(k), up = k + 1.0f, step = fourth(up) - below;
  const Floats q = chance * step < w - below ? up : k, one = splat(1.0f), most = splat(255.0f);
  return Floats(Ints(larger(q > most ? most : q, one)) & Ints(w > 0.0f));
}

static float encode_stochastic(const float* values, float top, const Rolling& rolling, uint8_t* codes) {
  const Floats factor = splat(kTop / top);
  Ints rolls[kUnit / kLanes];
  rolling.roll(rolls);
  for (int64_t i = 0; i < kUnit; i += 16) {
    Ints code[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const int64_t at = i + k * kLanes;
      const Floats chance = to_floats(2 * rolls[at / kLanes] + 1) * 0x1p-17f;
      code[k] = Ints(stochastic_fourth_root(load(values + at) * factor, chance) + kMagic);
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
  if (top >= kLiftBelow) {
    return rolling.stochastic ? encode_stochastic(values, top, rolling, codes) : encode_nearest(values, top, codes);
  }
  // kTop / top would not be a float: all of the block is made larger for a while.
  alignas(64) float lifted[kUnit];
  for (int64_t i = 0; i < kUnit; ++i) lifted[i] = values[i] * 0x1p64f;
  return encode_unit(lifted, top * 0x1p64f, rolling, codes) * 0x1p-32f;
}
