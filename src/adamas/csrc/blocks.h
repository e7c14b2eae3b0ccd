// Rows and blocks: what the formats of int8.h and int4.h have in common. formats/blocks.py has the definitions.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.


constexpr float kTiny = 0x1p-126f, kSignedTiny = 0x1p-100f, kHuge = 0x1p126f;
constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: x + kMagic has x, rounded to a whole number, in its lowest bits

static inline Ints whole_bits(Floats x) { return Ints(x + kMagic) - int32_t(0x4b400000); }
static inline float not_a_number() { return float_of(0x7fc00000u); }

// 16 numbers to one: halves onto halves, until one is left. The order is the same for registers of 4, 8 or 16.
template <class Four, class Register, class Join>
static inline Four fold(const Register* part, Join join) {
  Four four[4];
  static_assert(sizeof(Register) * kSixteen == sizeof four);
  __builtin_memcpy(four, part, sizeof four);
  const Four all = join(join(four[0], four[2]), join(four[1], four[3]));
  const Four two = join(all, __builtin_shufflevector(all, all, 2, 3, 0, 1));
  return join(two, __builtin_shufflevector(two, two, 1, 0, 3, 2));
}

typedef int32_t FourInts __attribute__((vector_size(16)));
typedef float FourFloats __attribute__((vector_size(16)));

static inline float largest_lane(const Ints* top) {
  return float_of(uint32_t(fold<FourInts>(top, [](FourInts a, FourInts b) { return a > b ? a : b; })[0]));
}

// The largest magnitude of n elements, a multiple of 16. As integers, magnitudes are in the same order, NaN at the top.
static inline float largest(const float* x, int64_t n) {
  Ints top[kSixteen] = {};
  for (int64_t i = 0; i < n; i += 16) {
    for (int k = 0; k < kSixteen; ++k) {
      top[k] = larger(Ints(load(x + i + k * kLanes)) & 0x7fffffff, top[k]);
    }
  }
  return largest_lane(top);
}

// 16 running sums of every 16th element, then halves onto halves: the same sum for registers of 4, 8 or 16.
struct LaneSum {
  Floats part[kSixteen] = {};

  float total() const {
    return fold<FourFloats>(part, [](FourFloats a, FourFloats b) { return a + b; })[0];
  }
};
