// Units of 128 elements whose slots are all bytes (int8.h), with float32 or bfloat16 weights, all flat: in registers.
// What goes through stages in L1 elsewhere (rows.h) is decoded and converted on its way here.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// ---- weights, two registers at a time ------------------------------------------------------------------------------

// Float32 weights.
struct PlainWeights {
  float* at;

  ADAMAS_INLINE Pair read(int64_t i) const { return load_pair(at + i); }
  ADAMAS_INLINE void start(int64_t) {}
  ADAMAS_INLINE void write(int64_t i, Pair x) const { store_pair(at + i, x); }
};

// Bfloat16 weights, rounded to nearest or at random; `first` is the row-major index of element 0, a multiple of 32.
struct ShortWeights {
  uint16_t* at;
  bool stochastic;
  Key key;
  uint32_t first;
  Rolls rolls;

  ADAMAS_INLINE Pair read(int64_t i) const { return load_pair(at + i); }
  ADAMAS_INLINE void start(int64_t i) {
    if (stochastic && i % kStrip == 0) rolls = Rolls(key, first + uint32_t(i));
  }
  ADAMAS_INLINE void write(int64_t i, Pair x) const { put(at + i, x, rolls, stochastic, int(i % kStrip) / (2 * kLanes)); }
};

// Bfloat16 weights with a byte more of each beside: see split.h.
struct SplitWeights {
  uint16_t* at;
  int8_t* low;

  ADAMAS_INLINE Pair read(int64_t i) const {
    const Pair upper = load_pair(at + i);
    const Ints below[2] = {load_bytes(low + i) << 8, load_bytes(low + i + kLanes) << 8};
    return {Floats(Ints(upper.low) + below[0]), Floats(Ints(upper.high) + below[1])};
  }

  ADAMAS_INLINE void start(int64_t) {}

  ADAMAS_INLINE void write(int64_t i, Pair x) const {
    Words up[2] = {Words(x.low) + 0x8000u, Words(x.high) + 0x8000u};
    Ints rest[2];
    const Words bits[2] = {Words(x.low), Words(x.high)};
    for (int k = 0; k < 2; ++k) {
      const Ints byte = (Ints(bits[k] - (up[k] & 0xffff0000u)) + 128) >> 8;
      rest[k] = byte < 127 ? byte : Ints{} + 127;
    }
    if (__builtin_expect(any_nan(x), 0)) {
      const Words nan = splat(0x7fc00000u);
      up[0] = x.low != x.low ? nan : up[0];
      up[1] = x.high != x.high ? nan : up[1];
      rest[0] = x.low != x.low ? Ints{} : rest[0];
      rest[1] = x.high != x.high ? Ints{} : rest[1];
    }
    store_upper(at + i, up[0], up[1]);
    store_byte_pair(low + i, rest[0], rest[1]);
  }
};

// ---- a unit ----------------------------------------------------------------------------------------------------------

template <bool kSigned>
struct CodeOf {
  using Type = int8_t;
};
template <>
struct CodeOf<false> {
  using Type = uint8_t;
};

// Slot number j of a rule at one unit: codes and scale, and where its new values wait for their block's largest.
template <bool kSigned>
struct UnitSlot {
  using Code = typename CodeOf<kSigned>::Type;
  Code* codes;
  float* scale;
  Floats factor;
  Ints top[2];
  alignas(64) float values[kUnit];

  void open(const Blocks& blocks) {
    codes = reinterpret_cast<Code*>(blocks.codes);
    scale = reinterpret_cast<float*>(blocks.scale);
    factor = splat(factor_of(codes, *scale));
  }

  ADAMAS_INLINE Pair read(int64_t i) const { return {decode(codes + i, factor), decode(codes + i + kLanes, factor)}; }

  ADAMAS_INLINE void keep(int64_t i, Pair x, Ints* largest) {
    if constexpr (!kSigned) x = {root(x.low), root(x.high)};  // often the rule has them already
    store_pair(values + i, x);
    largest[0] = larger(Ints(x.low) & 0x7fffffff, largest[0]);
    largest[1] = larger(Ints(x.high) & 0x7fffffff, largest[1]);
  }

  void close(Key key) {
    Ints all[kSixteen < 2 ? 2 : kSixteen] = {top[0], top[1]};
    if constexpr (kSixteen < 2) all[0] = larger(top[0], top[1]);
    *scale = encode_unit(values, largest_lane(all), key, codes);
  }
};

template <class Rule>
struct UnitSlots {
  template <int j>
  static constexpr bool kSign = j < Rule::kSlots ? Rule::kSigned[j < Rule::kSlots ? j : 0] : true;
  UnitSlot<kSign<0>> first;
  UnitSlot<kSign<1>> second;
  UnitSlot<kSign<2>> third;

  template <class F>
  ADAMAS_INLINE void each(F f) {
    if constexpr (Rule::kSlots > 0) f(first, 0);
    if constexpr (Rule::kSlots > 1) f(second, 1);
    if constexpr (Rule::kSlots > 2) f(third, 2);
  }
};

template <class Rule, class Weights, class Gradient>
static void step_unit(const Strips<Rule>& rule, Weights weights, const Gradient* g, UnitSlots<Rule>& slots) {
  Ints largest[ADAMAS_MAX_SLOTS][2] = {};  // not in the slots: here the compiler knows that nothing else writes it
  for (int64_t i = 0; i < kUnit; i += 2 * kLanes) {
    if (i % kStrip == 0) {
      ask_ahead(weights.at + i);
      ask_ahead(g + i);
    }
    weights.start(i);
    const Pair x = weights.read(i), gradient = load_pair(g + i);
    Floats low[ADAMAS_MAX_SLOTS], high[ADAMAS_MAX_SLOTS];
    slots.each([&](auto& slot, int j) __attribute__((always_inline)) {
      const Pair value = slot.read(i);
      low[j] = value.low;
      high[j] = value.high;
    });
    const Pair y = {rule.step(x.low, gradient.low, low), rule.step(x.high, gradient.high, high)};
    slots.each([&](auto& slot, int j) __attribute__((always_inline)) { slot.keep(i, {low[j], high[j]}, largest[j]); });
    weights.write(i, y);
  }
  slots.each([&](auto& slot, int j) {
    slot.top[0] = largest[j][0];
    slot.top[1] = largest[j][1];
  });
}

// Two units take turns: one is coded after the next is stepped. A block's codes wait for its largest element, so right
// after its step there would be nothing to do but wait.
template <class Rule>
struct Turns {
  UnitSlots<Rule> slots[2];
  Key key[ADAMAS_MAX_SLOTS];
  int turn = 0;
  bool waits = false;

  explicit Turns(const Randomness& random) {
    for (int j = 0; j < Rule::kSlots; ++j) key[j] = random.key(2 + j);
  }

  UnitSlots<Rule>& next() { return slots[turn]; }

  void stepped() {
    turn ^= 1;
    if (waits) code(slots[turn]);
    waits = true;
  }

  void finish() {
    if (waits) code(slots[turn ^ 1]);
  }

  void code(UnitSlots<Rule>& unit) {
    unit.each([&](auto& slot, int j) { slot.close(key[j]); });
  }
};

// Whether a tensor's whole units can go this way.
template <class Rule>
static bool in_registers(const Place* place, const Weight& weight, const Randomness& random) {
  const int32_t dtype = place[0].dtype;
  if (Rule::kSlots == 0 || random.layout || place[0].layout || place[1].layout || place[1].dtype != dtype) return false;
  for (int k = 0; k < Rule::kSlots; ++k) {
    const int32_t codes = place[2 + k].dtype;
    if (Rule::kSigned[k] ? codes != ADAMAS_INT8 : codes != ADAMAS_UINT8) return false;
  }
  if (weight.split) return dtype == ADAMAS_BFLOAT16 && !weight.low.layout && weight.low.dtype == ADAMAS_INT8;
  return dtype == ADAMAS_FLOAT32 || dtype == ADAMAS_BFLOAT16;
}

// The unit at element `at`, which is at this row and column. False if its random numbers do not begin with a strip.
template <class Rule>
static bool do_unit(const AdamasLaunch& launch, int64_t tensor, int64_t at, int64_t row, int64_t column,
                    const Strips<Rule>& rule, const Place* place, const Weight& weight, const Randomness& random,
                    UnitSlots<Rule>& slots) {
  const bool is_short = place[0].dtype == ADAMAS_BFLOAT16;
  if (is_short && random.stochastic && !weight.split && at % kStrip != 0) return false;
  slots.each([&](auto& slot, int j) { slot.open(blocks_of(launch, tensor, j, row, column)); });
  void* p = place[0].flat_at(at);
  const void* g = place[1].flat_at(at);
  if (!is_short) {
    step_unit(rule, PlainWeights{static_cast<float*>(p)}, static_cast<const float*>(g), slots);
    return true;
  }
  uint16_t* h = static_cast<uint16_t*>(p);
  const uint16_t* gradient = static_cast<const uint16_t*>(g);
  if (weight.split) {
    int8_t* low = reinterpret_cast<int8_t*>(weight.low.flat_at(at));
    step_unit(rule, SplitWeights{h, low}, gradient, slots);
  } else {
    const Dice dice = random.dice(0, at);
    step_unit(rule, ShortWeights{h, dice.stochastic, dice.key, dice.first, {}}, gradient, slots);
  }
  return true;
}
