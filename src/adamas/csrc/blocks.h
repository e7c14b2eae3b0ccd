// Rows and blocks: what the formats of int8.h and int4.h have in common. formats/blocks.py has the definitions.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

constexpr int64_t kUnit = 128;  // elements of a row that are staged at a time: a multiple of every block

constexpr float kTiny = 0x1p-126f, kSignedTiny = 0x1p-100f, kHuge = 0x1p126f;
constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: x + kMagic has x, rounded to a whole number, in its lowest bits

static inline Floats to_whole(Floats x) { return (x + kMagic) - kMagic; }
static inline Ints whole_bits(Floats x) { return Ints(x + kMagic) - int32_t(0x4b400000); }
static inline float not_a_number() { return float_of(0x7fc00000u); }

// The largest magnitude of n elements, a multiple of 16. As integers, magnitudes are in the same order, NaN at the top.
static inline float largest(const float* x, int64_t n) {
  Ints top[kSixteen] = {};
  for (int64_t i = 0; i < n; i += 16) {
    for (int k = 0; k < kSixteen; ++k) {
      const Ints magnitude = Ints(load(x + i + k * kLanes)) & 0x7fffffff;
      top[k] = magnitude > top[k] ? magnitude : top[k];
    }
  }
  int32_t largest = 0;
  for (int k = 0; k < kSixteen; ++k) {
    for (int lane = 0; lane < kLanes; ++lane) largest = top[k][lane] > largest ? top[k][lane] : largest;
  }
  return float_of(uint32_t(largest));
}

// 16 running sums of every 16th element, then halves onto halves: the same sum for registers of 4, 8 or 16.
struct LaneSum {
  Floats part[kSixteen] = {};

  float total() const {
    alignas(64) float lane[16];
    for (int k = 0; k < kSixteen; ++k) store(lane + k * kLanes, part[k]);
    for (int half = 8; half > 0; half /= 2) {
      for (int k = 0; k < half; ++k) lane[k] += lane[k + half];
    }
    return lane[0];
  }
};

// Where a unit's random numbers come from: element i of it has the row-major index first + i.
struct Rolling {
  bool stochastic;
  Key key;
  uint32_t first;

  void roll(Ints* to) const {
    if (first % kStrip == 0) {
      for (int64_t i = 0; i < kUnit; i += kStrip) {
        const Rolls rolls(key, first + uint32_t(i));
        for (int k = 0; k < kStrip / kLanes; ++k) to[i / kLanes + k] = Ints(rolls.of(k));
      }
      return;
    }
    for (int64_t i = 0; i < kUnit; ++i) to[i / kLanes][i % kLanes] = int32_t(random16(key, first + uint32_t(i)));
  }
};
