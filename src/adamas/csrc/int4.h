// Half a byte an element: formats/int4.py has the code maps. Units of 128 staged floats, filled up with zeros.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
//
// Codes are packed in strips of 32 elements of a row: byte j holds element j below and element j + 16 above.

constexpr float kPer7 = float(1.0 / 7.0), kHalfOctave = 0.70710678118654752f;
constexpr int64_t kSignedBlock = 32, kUnsignedBlock = 64;

// Where element at of a row (a multiple of 32) has its byte; also how many bytes a row's first elements take.
static inline int64_t packed_bytes(int64_t elements) {
  const int64_t left = elements % kStrip;
  return elements / kStrip * 16 + ((left < 16 ? left : 16) + 3) / 4 * 4;
}

// Of 16 codes below and 16 above.
static inline void unpack(const uint8_t* bytes, Ints* below, Ints* above) {
  for (int k = 0; k < kSixteen; ++k) {
    const Ints both = load_bytes(bytes + k * kLanes);
    below[k] = both & 15;
    above[k] = both >> 4;
  }
}

// Of a slot with signs.
static void decode4(const uint8_t* bytes, const uint16_t* scale, float* values) {
  for (int64_t i = 0; i < kUnit; i += kStrip) {
    const Floats c = splat(from_bfloat16(scale[i / kSignedBlock]) * kPer7);
    Ints below[kSixteen], above[kSixteen];
    unpack(bytes + i / 2, below, above);
    for (int k = 0; k < kSixteen; ++k) {
      store(values + i + k * kLanes, to_floats((below[k] << 28) >> 28) * c);
      store(values + i + 16 + k * kLanes, to_floats((above[k] << 28) >> 28) * c);
    }
  }
}

// 2^(-(15 - q) / 2).
static inline Floats half_octaves(Ints q) {
  const Ints below = 15 - q;
  const Floats octave = Floats((127 - (below >> 1)) << 23);
  return (below & 1) != 0 ? octave * kHalfOctave : octave;
}

// Of a slot without.
static void decode4(const uint8_t* bytes, const float* scale, float* values) {
  for (int64_t i = 0; i < kUnit; i += kStrip) {
    const Floats c = splat(scale[i / kUnsignedBlock]);
    Ints below[kSixteen], above[kSixteen];
    unpack(bytes + i / 2, below, above);
    for (int k = 0; k < kSixteen; ++k) {
      store(values + i + k * kLanes, half_octaves(below[k]) * c);
      store(values + i + 16 + k * kLanes, half_octaves(above[k]) * c);
    }
  }
}

// A block, of which top is the largest magnitude.
static uint16_t encode_signed4(const float* values, float top, uint8_t* bytes) {
  const uint32_t near = (bits_of(top) + 0x8000u) & 0xffff0000u;
  if (!(top >= kSignedTiny && float_of(near) < kHuge)) {
    __builtin_memset(bytes, 0, kSignedBlock / 2);
    return top < kSignedTiny ? 0 : 0x7fc0;
  }
  const Floats factor = splat(7.0f / float_of(near));
  Ints both[kSixteen];
  for (int k = 0; k < kSixteen; ++k) {
    const Ints below = whole_bits(load(values + k * kLanes) * factor);
    const Ints above = whole_bits(load(values + 16 + k * kLanes) * factor);
    both[k] = (below & 15) | (above & 15) << 4;
  }
  store_bytes(bytes, both);
  return uint16_t(near >> 16);
}

static inline Ints code_unsigned4(Floats y) {
  const Ints bits = Ints(y), mantissa = bits & 0x7fffff;
  const Ints q = 15 + 2 * ((bits >> 23) - 127) - Ints(mantissa >= 0x1837f1) - Ints(mantissa >= 0x5744fd);
  const Ints at_least = q > 0 ? q : Ints{};
  return at_least < 15 ? at_least : Ints{} + 15;
}

// n: how many of the 64 elements are real.
static float encode_unsigned4(const float* values, int64_t n, float top, uint8_t* bytes) {
  if (!(top >= kTiny && top < kHuge)) {
    __builtin_memset(bytes, 0, kUnsignedBlock / 2);
    return top < kTiny ? 0.0f : not_a_number();
  }
  const Floats inverse = splat(1.0f / top);
  Ints lane;
  for (int k = 0; k < kLanes; ++k) lane[k] = k;
  LaneSum kept, read;
  Ints code[kUnsignedBlock / kLanes];
  for (int64_t i = 0; i < kUnsignedBlock; i += 16) {
    for (int k = 0; k < kSixteen; ++k) {
      const int64_t at = i + k * kLanes;
      const Floats y = load(values + at) * inverse;
      const Ints q = code_unsigned4(y);
      code[at / kLanes] = q;
      kept.part[k] += y;
      read.part[k] += Floats(Ints(half_octaves(q)) & Ints(lane + int32_t(at) < int32_t(n)));
    }
  }
  for (int64_t strip = 0; strip < kUnsignedBlock / kStrip; ++strip) {
    Ints both[kSixteen];
    for (int k = 0; k < kSixteen; ++k) {
      const Ints* here = code + strip * 2 * kSixteen + k;
      both[k] = here[0] | here[kSixteen] << 4;
    }
    store_bytes(bytes + strip * 16, both);
  }
  return top * (kept.total() / read.total());
}

template <bool kSigned>
struct HalfBytes {
  using Scale = uint16_t;
  static constexpr int64_t kBlock = kSignedBlock;
};
template <>
struct HalfBytes<false> {
  using Scale = float;
  static constexpr int64_t kBlock = kUnsignedBlock;
};

// n elements of a row, zeros behind them up to the end of their last block, with their blocks' largest magnitudes.
static ADAMAS_INLINE void encode4(const float* values, int64_t n, const float* top, uint8_t* bytes, uint16_t* scale) {
  for (int64_t i = 0; i < n; i += kSignedBlock) {
    scale[i / kSignedBlock] = encode_signed4(values + i, top[i / kSignedBlock], bytes + i / 2);
  }
}

static ADAMAS_INLINE void encode4(const float* values, int64_t n, const float* top, uint8_t* bytes, float* scale) {
  for (int64_t i = 0; i < n; i += kUnsignedBlock) {
    scale[i / kUnsignedBlock] = encode_unsigned4(values + i, n - i, top[i / kUnsignedBlock], bytes + i / 2);
  }
}

template <bool kSigned>
static ADAMAS_INLINE void tops4(const float* values, float* top) {
  constexpr int64_t kBlock = HalfBytes<kSigned>::kBlock;
  for (int64_t i = 0; i < kUnit; i += kBlock) top[i / kBlock] = largest(values + i, kBlock);
}
