// A step that is looked at, in one sweep: memory is read, and the rule computed, once for both. For weights and slots in
// float32, those of strips.h, and those of units.h in bytes; all flat.
// Included by stats.h, inside the namespace of an instruction set.

// Write what is rounded to nearest already, as put() in strips.h does it.
static ADAMAS_INLINE void put_nearest(float* to, Pair x, Pair) { store_pair(to, x); }

static ADAMAS_INLINE void put_nearest(uint16_t* to, Pair x, Pair rounded) {
  if (__builtin_expect(any_nan(x), 0)) return put(to, x, Rolls(), false, 0);
  store_upper(to, Words(rounded.low), Words(rounded.high));
}

template <class Rule>
struct Looked {
  Looker<Rule, float> looker;
  bool stochastic;
  Key key[2 + ADAMAS_MAX_SLOTS];

  // Elements first .. first + n - 1 of a tensor, both multiples of 32.
  template <class P, class S>
  static void run(const Looked self, P* p, const P* g, S* const* slots, uint32_t first, int64_t n, Tally<float>& to) {
    constexpr int kParts = Tally<float>::kParts;
    constexpr bool kShort = sizeof(S) == 2;
    S* s[ADAMAS_MAX_SLOTS] = {};
    for (int j = 0; j < Rule::kSlots; ++j) s[j] = slots[j];
    Tally<float> all = to;
    typename CountsOf<float>::Type counts;
    for (int64_t at = 0; at < n; at += kStrip) {
      ask_ahead(p + at);
      ask_ahead(g + at);
      for (int j = 0; j < Rule::kSlots; ++j) ask_ahead(s[j] + at);
      Rolls rolls[1 + (kShort ? ADAMAS_MAX_SLOTS : 0)];
      if (sizeof(P) == 2 && self.stochastic) {
        rolls[0] = Rolls(self.key[0], first + uint32_t(at));
        for (int j = 0; kShort && j < Rule::kSlots; ++j) rolls[1 + j] = Rolls(self.key[2 + j], first + uint32_t(at));
      }
#pragma GCC unroll 1
      for (int k = 0; k < kPairs; ++k) {
        const int64_t i = at + 2 * k * kLanes;
        const Pair x = load_pair(p + i), gradient = load_pair(g + i);
        Floats low[ADAMAS_MAX_SLOTS], high[ADAMAS_MAX_SLOTS];
        for (int j = 0; j < Rule::kSlots; ++j) {
          const Pair slot = load_pair(s[j] + i);
          low[j] = slot.low;
          high[j] = slot.high;
        }
        const auto a = self.looker.see(x.low, gradient.low, low, 2 * k % kParts, all, counts);
        const auto b = self.looker.see(x.high, gradient.high, high, (2 * k + 1) % kParts, all, counts);
        if (self.stochastic) {
          put(p + i, {a.y, b.y}, rolls[0], true, k);
          for (int j = 0; j < Rule::kSlots; ++j) put(s[j] + i, {low[j], high[j]}, rolls[kShort ? 1 + j : 0], true, k);
        } else {
          put_nearest(p + i, {a.y, b.y}, {a.written, b.written});
          for (int j = 0; j < Rule::kSlots; ++j) {
            put_nearest(s[j] + i, {low[j], high[j]}, {self.looker.nearest(low[j]), self.looker.nearest(high[j])});
          }
        }
      }
    }
    counts.finish(all);
    to = all;
  }

  template <class P, class S>
  void run_at(const Place* place, int64_t start, uint32_t first, int64_t n, Tally<float>& to) const {
    S* s[ADAMAS_MAX_SLOTS];
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = reinterpret_cast<S*>(place[2 + k].flat_at(start));
    run(*this, reinterpret_cast<P*>(place[0].flat_at(start)), reinterpret_cast<const P*>(place[1].flat_at(start)), s,
        first, n, to);
  }
};

// What steps units and looks at them.
template <class Rule>
struct LookedUnits {
  Looker<Rule, float> looker;
  Tally<float> tally;
  typename CountsOf<float>::Type counts;
  static constexpr int kSlots = Rule::kSlots;
  static constexpr bool kLooks = true;

  ADAMAS_INLINE Pair step(Pair x, Pair g, Floats* low, Floats* high, int64_t place) {
    constexpr int kParts = Tally<float>::kParts;
    const int part = int(place % kParts), next = int((place + 1) % kParts);
    return {looker.see(x.low, g.low, low, part, tally, counts).y,
            looker.see(x.high, g.high, high, next, tally, counts).y};
  }
};

// Look at and step a block of units, of slots in bytes and rows that are made of whole units. Returns whether they are.
template <class Rule>
static bool look_and_step_units(const AdamasLaunch& launch, const Looker<Rule, float>& looker, const Place* place,
                                int64_t tensor, int64_t start, int64_t end, Tally<float>& to) {
  const Weight weight = weight_of(launch, tensor);
  const Randomness random = randomness_of(launch, tensor);
  const int64_t length = launch.row_length[tensor];
  if (length % kUnit || in_registers<Rule>(place, weight, random) != 8) return false;
  const bool rolls = random.stochastic && !weight.split && place[0].dtype == ADAMAS_BFLOAT16;
  const int64_t units = units_from(random.origin + start, start % length, end - start, length, rolls);
  if (units * kUnit != end - start) return false;
  Blocks blocks[ADAMAS_MAX_SLOTS];
  for (int k = 0; k < Rule::kSlots; ++k) blocks[k] = blocks_of(launch, tensor, k, start / length, start % length);
  LookedUnits<Rule> looked = {looker, to, {}};
  do_units<UnitSlots<Rule, ByteSlot>>(start, units, looked, place, blocks, weight, random);
  looked.counts.finish(looked.tally);
  to = looked.tally;
  return true;
}

// Look at as many elements of a block as can be stepped in the same sweep, and step them. Returns how many those are.
template <class Rule>
static int64_t look_and_step(const AdamasLaunch& launch, const Looker<Rule, float>& looker, int64_t tensor, int64_t start,
                             int64_t end, Tally<float>& to) {
  const int64_t n = (end - start) & ~int64_t(kStrip - 1);
  Place place[2 + Rule::kSlots];
  for (int k = 0; k < 2 + Rule::kSlots; ++k) place[k] = place_of(launch, tensor, k);
  if (launch.row_length) return look_and_step_units(launch, looker, place, tensor, start, end, to) ? end - start : 0;
  if (launch.rounding == ADAMAS_SPLIT) return 0;
  const int32_t weight = place[0].dtype, slot = Rule::kSlots ? place[2].dtype : ADAMAS_FLOAT32;
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    if (place[k].layout || place[k].dtype != (k < 2 ? weight : slot)) return 0;
  }
  const Randomness random = randomness_of(launch, tensor);
  if (n == 0 || !random.in_strips()) return 0;
  Looked<Rule> looked = {looker, random.stochastic, {}};
  for (int k = 0; k < 2 + ADAMAS_MAX_SLOTS; ++k) looked.key[k] = random.dice(k, start).key;
  const uint32_t first = uint32_t(random.origin + start);
  if (weight == ADAMAS_FLOAT32 && slot == ADAMAS_FLOAT32) {
    looked.template run_at<float, float>(place, start, first, n, to);
  } else if (weight == ADAMAS_BFLOAT16 && slot == ADAMAS_FLOAT32) {
    looked.template run_at<uint16_t, float>(place, start, first, n, to);
  } else if (weight == ADAMAS_BFLOAT16 && slot == ADAMAS_BFLOAT16) {
    looked.template run_at<uint16_t, uint16_t>(place, start, first, n, to);
  } else {
    return 0;
  }
  return n;
}
