// Units of 128 elements whose slots are all in bytes (int8.h) or half bytes (int4.h), with float32 or bfloat16 weights,
// all flat: in registers.
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
    return {Floats(Words(upper.low) + Words(below[0])), Floats(Words(upper.high) + Words(below[1]))};
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

// A slot in bytes at one unit: codes and scale, and where its new values (of one without signs, their roots) wait for their
// block's largest, and then for `prepare`.
template <bool kSigned>
struct ByteSlot {
  using Code = typename CodeOf<kSigned>::Type;
  Code* codes;
  float* scale;
  Floats factor;
  Scaling scaling;
  alignas(64) float values[kUnit];
  alignas(64) float roots[kSigned ? kLanes : kUnit];  // of a slot without signs

  ADAMAS_INLINE void open(const Blocks& blocks, int64_t unit) {
    codes = reinterpret_cast<Code*>(blocks.codes) + unit * kUnit;
    scale = reinterpret_cast<float*>(blocks.scale) + unit;
    factor = splat(factor_of(codes, *scale));
  }

  ADAMAS_INLINE Pair read(int64_t i) const { return {decode(codes + i, factor), decode(codes + i + kLanes, factor)}; }

  ADAMAS_INLINE void keep(int64_t i, Pair x, Ints* largest) {
    if constexpr (!kSigned) x = {root(x.low), root(x.high)};  // often the rule has them already
    store_pair(values + i, x);
    largest[0] = larger(Ints(x.low) & 0x7fffffff, largest[0]);
    largest[1] = larger(Ints(x.high) & 0x7fffffff, largest[1]);
  }

  ADAMAS_INLINE void weigh(const Ints* largest, Key key) {
    Ints all[kSixteen < 2 ? 2 : kSixteen] = {largest[0], largest[1]};
    if constexpr (kSixteen < 2) all[0] = larger(largest[0], largest[1]);
    scaling = scaling_of(codes, largest_lane(all), key);
  }

  ADAMAS_INLINE void prepare_codes(int64_t i) {
    if constexpr (!kSigned) prepare(values + i, roots + i, scaling);
  }

  ADAMAS_INLINE void close() {
    *scale = scaling.scale;
    if constexpr (kSigned) {
      encode_unit(values, scaling, codes);
    } else {
      encode_unit(values, roots, scaling, codes);
    }
  }
};

// A slot in half bytes at one unit, read and coded by way of floats: it has several blocks.
template <bool kSigned>
struct HalfByteSlot {
  using Scale = typename HalfBytes<kSigned>::Scale;
  static constexpr int64_t kBlocks = kUnit / HalfBytes<kSigned>::kBlock;
  uint8_t* codes;
  Scale* scale;
  float top[kBlocks];
  alignas(64) float values[kUnit];

  ADAMAS_INLINE void open(const Blocks& blocks, int64_t unit) {
    codes = reinterpret_cast<uint8_t*>(blocks.codes) + unit * (kUnit / 2);
    scale = reinterpret_cast<Scale*>(blocks.scale) + unit * kBlocks;
    decode4(codes, scale, values);
  }

  ADAMAS_INLINE Pair read(int64_t i) const { return load_pair(values + i); }
  ADAMAS_INLINE void keep(int64_t i, Pair x, Ints*) { store_pair(values + i, x); }
  ADAMAS_INLINE void weigh(const Ints*, Key) { tops4<kSigned>(values, top); }
  ADAMAS_INLINE void prepare_codes(int64_t) {}
  ADAMAS_INLINE void close() { encode4(values, kUnit, top, codes, scale); }
};

// The slots of a rule at one unit.
template <class Rule, template <bool> class Slot>
struct UnitSlots {
  template <int j>
  static constexpr bool kSign = j < Rule::kSlots ? Rule::kSigned[j < Rule::kSlots ? j : 0] : true;
  Slot<kSign<0>> first;
  Slot<kSign<1>> second;
  Slot<kSign<2>> third;

  template <class F>
  ADAMAS_INLINE void each(F f) {
    if constexpr (Rule::kSlots > 0) f(first, 0);
    if constexpr (Rule::kSlots > 1) f(second, 1);
    if constexpr (Rule::kSlots > 2) f(third, 2);
  }
};

// The unit at element `at` of what the operands point to; `last` is the one before, if there is one. Steps: Strips, or what
// looks, too (looked.h).
template <class Steps, class Weights, class Gradient, class Slots>
static ADAMAS_INLINE void step_unit(Steps& rule, Weights& weights, const Gradient* g, int64_t at, Slots& slots, Slots* last,
                                    const Key* key) {
  Ints largest[ADAMAS_MAX_SLOTS][2] = {};  // not in the slots: here the compiler knows that nothing else writes it
  for (int64_t i = 0; i < kUnit; i += 2 * kLanes) {
    if (i % kStrip == 0) {
      ask_ahead(weights.at + at + i);
      ask_ahead(g + at + i);
    }
    weights.start(at + i);
    const Pair x = weights.read(at + i), gradient = load_pair(g + at + i);
    Floats low[ADAMAS_MAX_SLOTS], high[ADAMAS_MAX_SLOTS];
    slots.each([&](auto& slot, int j) __attribute__((always_inline)) {
      const Pair value = slot.read(i);
      low[j] = value.low;
      high[j] = value.high;
    });
    const Pair y = rule.step(x, gradient, low, high, i / kLanes);
    slots.each([&](auto& slot, int j) __attribute__((always_inline)) {
      slot.keep(i, {low[j], high[j]}, largest[j]);
    });
    weights.write(at + i, y);
    if (last) last->each([&](auto& slot, int) __attribute__((always_inline)) { slot.prepare_codes(i); });
  }
  slots.each([&](auto& slot, int j) __attribute__((always_inline)) {
    slot.weigh(largest[j], key[j]);
  });
}

// Two units take turns: one is coded after the next is stepped. A block's codes wait for its largest element, and what is
// made of it, so right after its step there would be nothing to do but wait. Roots that codes are made of are taken while
// the next is stepped: a CPU has one unit for roots, and what waits for it keeps others from the schedulers.
template <class Slots, class Steps, class Weights, class Gradient>
static __attribute__((noinline)) void step_units(Steps& steps, Weights weights, const Gradient* g, const Blocks* blocks,
                                                 const Key* key, int64_t units) {
  Steps rule = steps;
  Slots turns[2];
  const auto code = [&](Slots& slots) __attribute__((always_inline)) {
    slots.each([&](auto& slot, int) __attribute__((always_inline)) { slot.close(); });
  };
  Slots* last = nullptr;
  for (int64_t unit = 0; unit < units; ++unit) {
    Slots& slots = turns[unit & 1];
    slots.each([&](auto& slot, int j) __attribute__((always_inline)) { slot.open(blocks[j], unit); });
    step_unit(rule, weights, g, unit * kUnit, slots, last, key);
    if (last) code(*last);
    last = &slots;
  }
  for (int64_t i = 0; i < kUnit; i += 2 * kLanes) {
    last->each([&](auto& slot, int) __attribute__((always_inline)) { slot.prepare_codes(i); });
  }
  code(*last);
  if constexpr (Steps::kLooks) steps.take(rule);
}

// Bits of a code where a tensor's whole units can go this way, 8 or 4; else 0.
template <class Rule>
static int in_registers(const Place* place, const Weight& weight, const Randomness& random) {
  const int32_t dtype = place[0].dtype;
  if (Rule::kSlots == 0 || random.layout || place[0].layout || place[1].layout || place[1].dtype != dtype) return 0;
  if (weight.split) {
    if (dtype != ADAMAS_BFLOAT16 || weight.low.layout || weight.low.dtype != ADAMAS_INT8) return 0;
  } else if (dtype != ADAMAS_FLOAT32 && dtype != ADAMAS_BFLOAT16) {
    return 0;
  }
  bool bytes = true, halves = true;
  for (int k = 0; k < Rule::kSlots; ++k) {
    const int32_t codes = place[2 + k].dtype;
    bytes = bytes && codes == (Rule::kSigned[k] ? ADAMAS_INT8 : ADAMAS_UINT8);
    halves = halves && codes == (Rule::kSigned[k] ? ADAMAS_INT4 : ADAMAS_UINT4);
  }
  return bytes ? 8 : halves ? 4 : 0;
}

// Units of which the first begins at element `at`; the codes and scales of all lie one after another.
template <class Slots, class Steps>
static void do_units(int64_t at, int64_t units, Steps& rule, const Place* place, const Blocks* blocks,
                     const Weight& weight, const Randomness& random) {
  Key key[ADAMAS_MAX_SLOTS];
  for (int j = 0; j < Steps::kSlots; ++j) key[j] = random.key(2 + j);
  void* p = place[0].flat_at(at);
  const void* g = place[1].flat_at(at);
  if (place[0].dtype == ADAMAS_FLOAT32) {
    const PlainWeights plain = {static_cast<float*>(p)};
    return step_units<Slots>(rule, plain, static_cast<const float*>(g), blocks, key, units);
  }
  uint16_t* h = static_cast<uint16_t*>(p);
  const uint16_t* gradient = static_cast<const uint16_t*>(g);
  if (weight.split) {
    const SplitWeights split = {h, reinterpret_cast<int8_t*>(weight.low.flat_at(at))};
    return step_units<Slots>(rule, split, gradient, blocks, key, units);
  }
  const Dice dice = random.dice(0, at);
  step_units<Slots>(rule, ShortWeights{h, dice.stochastic, dice.key, dice.first, {}}, gradient, blocks, key, units);
}

// How many units of `count` elements, of which the first has this index and place in its row, go through registers in one
// go: they lie one after another, and their random numbers begin with a strip and share a key.
static inline int64_t units_from(int64_t index, int64_t column, int64_t count, int64_t length, bool random) {
  if (random && index % kStrip != 0) return 0;
  const int64_t row = length % kUnit ? length - column : count, same_key = (int64_t(1) << 32) - (index & 0xffffffff);
  int64_t elements = count < row ? count : row;
  if (same_key < elements) elements = same_key;
  return elements / kUnit;
}
