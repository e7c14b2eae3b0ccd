// bfloat16 weights and gradients, with slots in float32 or bfloat16, all flat: strips of 32 elements in registers.
// What goes through chunks in L1 elsewhere (engine.h) is converted on its way here: these are the layouts of large models.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// How far ahead to ask for memory, in elements: so much computing between accesses hides them from the hardware's
// prefetchers (8 % of a step on a Zen 1 with 33.5 M elements).
constexpr int64_t kAhead = 1024;

template <class S>
static ADAMAS_INLINE void ask_ahead(const S* from) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(from) + kAhead * sizeof(S);  // may lie behind the end: never read
  for (uintptr_t byte = 0; byte < kStrip * sizeof(S); byte += 64) {
    __builtin_prefetch(reinterpret_cast<const void*>(at + byte), 1, 3);
  }
}

constexpr int kPairs = kStrip / kLanes / 2;

static ADAMAS_INLINE void put(float* to, Pair x, const Rolls&, bool, int) { store_pair(to, x); }

static ADAMAS_INLINE void put(uint16_t* to, Pair x, const Rolls& rolls, bool stochastic, int k) {
  if (stochastic) {
    store_bfloat16(to, x, rolls.of(2 * k), rolls.of(2 * k + 1));
  } else {
    store_bfloat16(to, x, to_nearest(x.low), to_nearest(x.high));
  }
}

template <class Rule>
struct Strips {
  Floats keep, l2, factor;
  typename Rule::template Scalars<Floats> c;
  bool coupled, scaled, stochastic;
  Key key[ADAMAS_MAX_OPERANDS];
  static constexpr int kSlots = Rule::kSlots;
  static constexpr bool kLooks = false;

  ADAMAS_INLINE Floats step(Floats x, Floats g, Floats* s) const {
    Floats gradient = scaled ? factor * g : g;
    if (coupled) gradient = gradient + l2 * x;
    const Floats y = update_slots<Rule, Floats>(keep * x, gradient, c, s);
    return y == x ? x : y;  // as in sweep()
  }

  // Two registers, of which the first is the unit's number `place`.
  ADAMAS_INLINE Pair step(Pair x, Pair g, Floats* low, Floats* high, int64_t /*place*/) const {
    return {step(x.low, g.low, low), step(x.high, g.high, high)};
  }

  // Elements first .. first + n - 1 of a tensor, both multiples of 32. A strip's weights are rounded and written while the
  // next strip's are computed: the rule is a long chain of dependent operations, and rounding fills its gaps.
  template <class S>
  static void run(const Strips self, uint16_t* p, const uint16_t* g, S* const* slots, uint32_t first, int64_t n) {
    S* s[ADAMAS_MAX_SLOTS] = {};
    for (int j = 0; j < Rule::kSlots; ++j) s[j] = slots[j];
    Pair y[kPairs] = {};
    Rolls rolls[1 + (sizeof(S) == 2 ? ADAMAS_MAX_SLOTS : 0)] = {};
    for (int64_t at = 0; at < n; at += kStrip) {
      ask_ahead(p + at);
      ask_ahead(g + at);
      for (int j = 0; j < Rule::kSlots; ++j) ask_ahead(s[j] + at);
      if (sizeof(S) == 2 && self.stochastic) {
        for (int j = 0; j < Rule::kSlots; ++j) rolls[1 + j] = Rolls(self.key[2 + j], first + uint32_t(at));
      }
      for (int k = 0; k < kPairs; ++k) {
        const int64_t i = at + 2 * k * kLanes;
        if (at) put(p + i - kStrip, y[k], rolls[0], self.stochastic, k);
        const Pair x = load_pair(p + i), gradient = load_pair(g + i);
        Floats low[ADAMAS_MAX_SLOTS], high[ADAMAS_MAX_SLOTS];
        for (int j = 0; j < Rule::kSlots; ++j) {
          const Pair slot = load_pair(s[j] + i);
          low[j] = slot.low;
          high[j] = slot.high;
        }
        y[k] = {self.step(x.low, gradient.low, low), self.step(x.high, gradient.high, high)};
        for (int j = 0; j < Rule::kSlots; ++j) {
          put(s[j] + i, {low[j], high[j]}, rolls[sizeof(S) == 2 ? 1 + j : 0], self.stochastic, k);
        }
      }
      if (self.stochastic) rolls[0] = Rolls(self.key[0], first + uint32_t(at));
    }
    for (int k = 0; k < kPairs; ++k) put(p + n - kStrip + 2 * k * kLanes, y[k], rolls[0], self.stochastic, k);
  }

  // Any number of elements; the last strip, if it is short, in a place of its own.
  template <class S>
  void run_all(uint16_t* p, const uint16_t* g, S* const* slots, uint32_t first, int64_t n) const {
    const int64_t whole = n & ~int64_t(kStrip - 1), left = n - whole;
    if (whole) run(*this, p, g, slots, first, whole);
    if (!left) return;
    uint16_t weight[kStrip] = {}, gradient[kStrip] = {};
    S own[ADAMAS_MAX_SLOTS][kStrip] = {};
    S* s[ADAMAS_MAX_SLOTS];
    __builtin_memcpy(weight, p + whole, size_t(left) * 2);
    __builtin_memcpy(gradient, g + whole, size_t(left) * 2);
    for (int j = 0; j < ADAMAS_MAX_SLOTS; ++j) s[j] = own[j];
    for (int j = 0; j < Rule::kSlots; ++j) __builtin_memcpy(own[j], slots[j] + whole, size_t(left) * sizeof(S));
    run(*this, weight, gradient, s, first + uint32_t(whole), kStrip);
    __builtin_memcpy(p + whole, weight, size_t(left) * 2);
    for (int j = 0; j < Rule::kSlots; ++j) __builtin_memcpy(slots[j] + whole, own[j], size_t(left) * sizeof(S));
  }
};
