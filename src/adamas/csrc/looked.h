// A step that is looked at, in one sweep: memory is read, and the rule computed, once for both. For weights and slots in
// float32, those of strips.h, split weights with a byte beside, and rows of slots in blocks.
// Included by stats.h, inside the namespace of an instruction set.

// Write what is rounded to nearest already, as put() in strips.h does it.
static ADAMAS_INLINE void put_nearest(float* to, Pair x, Pair) { store_pair(to, x); }

static ADAMAS_INLINE void put_nearest(uint16_t* to, Pair x, Pair rounded) {
  if (__builtin_expect(any_nan(x), 0)) return put(to, x, Rolls(), false, 0);
  store_upper(to, Words(rounded.low), Words(rounded.high));
}

// Split weights, in the place of a pointer.
static ADAMAS_INLINE SplitWeights operator+(const SplitWeights& p, int64_t i) { return {p.at + i, p.low + i}; }
static ADAMAS_INLINE Pair load_pair(const SplitWeights& p) { return p.read(0); }
static ADAMAS_INLINE void put(const SplitWeights& p, Pair x, const Rolls&, bool, int) { p.write(0, x); }
static ADAMAS_INLINE void put_nearest(const SplitWeights& p, Pair x, Pair) { p.write(0, x); }
static ADAMAS_INLINE void ask_ahead(const SplitWeights& p) {
  ask_ahead(p.at);
  ask_ahead(p.low);
}

// What again() in stats.h says of these weights, known when compiled.
static ADAMAS_INLINE Again again_of(const float*, bool) { return kAsComputed; }
static ADAMAS_INLINE Again again_of(const uint16_t*, bool stochastic) { return stochastic ? kAsComputed : kRounded; }
static ADAMAS_INLINE Again again_of(const SplitWeights&, bool) { return kWithByte; }

template <class Rule>
struct Looked {
  Looker<Rule, float> looker;
  bool stochastic;
  Key key[2 + ADAMAS_MAX_SLOTS];

  // Elements first .. first + n - 1 of a tensor, both multiples of 32. What one register is added up to, and its pair's weights
  // rounded to, waits until the next one's rule has begun: see sixteens().
  template <class P, class G, class S>
  static void run(const Looked self, P p, const G* g, S* const* slots, uint32_t first, int64_t n, Tally<float>& to) {
    constexpr int kParts = Tally<float>::kParts;
    constexpr bool kShort = sizeof(S) == 2;
    S* s[ADAMAS_MAX_SLOTS] = {};
    for (int j = 0; j < Rule::kSlots; ++j) s[j] = slots[j];
    Tally<float> all = to;
    typename CountsOf<float>::Type counts;
    typename Looker<Rule, float>::Seen a = {}, b = {};
    Floats written = {};
    Rolls rolls[1 + (kShort ? ADAMAS_MAX_SLOTS : 0)] = {};
    const Again again = again_of(p, self.stochastic);
    const auto finish = [&](int64_t i, int k) __attribute__((always_inline)) {
      if (i < 0) return;
      const Floats high = self.looker.add(b, (2 * k + 1) % kParts, all, counts, again);
      if (self.stochastic) {
        put(p + i, {a.y, b.y}, rolls[0], true, k);
      } else {
        put_nearest(p + i, {a.y, b.y}, {written, high});
      }
    };
    for (int64_t at = 0; at < n; at += kStrip) {
      ask_ahead(p + at);
      ask_ahead(g + at);
      for (int j = 0; j < Rule::kSlots; ++j) ask_ahead(s[j] + at);
      if (kShort && self.stochastic) {
        for (int j = 0; j < Rule::kSlots; ++j) rolls[1 + j] = Rolls(self.key[2 + j], first + uint32_t(at));
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
        const auto next = self.looker.see(x.low, gradient.low, low);
        finish(i - 2 * kLanes, (k + kPairs - 1) % kPairs);
        a = next;
        b = self.looker.see(x.high, gradient.high, high);
        written = self.looker.add(a, 2 * k % kParts, all, counts, again);
        for (int j = 0; j < Rule::kSlots; ++j) {
          if (self.stochastic) {
            put(s[j] + i, {low[j], high[j]}, rolls[kShort ? 1 + j : 0], true, k);
          } else {
            put_nearest(s[j] + i, {low[j], high[j]}, {self.looker.nearest(low[j]), self.looker.nearest(high[j])});
          }
        }
        if (sizeof(G) == 2 && self.stochastic && k == 0) rolls[0] = Rolls(self.key[0], first + uint32_t(at));
      }
    }
    finish(n - 2 * kLanes, kPairs - 1);
    counts.finish(all);
    to = all;
  }

  template <class G, class S, class P>
  void run_at(P p, const Place* place, int64_t start, uint32_t first, int64_t n, Tally<float>& to) const {
    S* s[ADAMAS_MAX_SLOTS];
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = reinterpret_cast<S*>(place[2 + k].flat_at(start));
    run(*this, p, reinterpret_cast<const G*>(place[1].flat_at(start)), s, first, n, to);
  }
};

// What steps units and looks at them.
template <class Rule, class T>
struct LookedUnits {
  Looker<Rule, T> looker;
  Tally<T> tally;
  typename CountsOf<T>::Type counts;
  static constexpr int kSlots = Rule::kSlots;
  static constexpr bool kLooks = true;

  ADAMAS_INLINE Pair step(Pair x, Pair g, Floats* low, Floats* high, int64_t place) {
    constexpr int kParts = Tally<T>::kParts;
    const int part = int(place % kParts), next = int((place + 1) % kParts);
    const auto a = looker.see(x.low, g.low, low);
    looker.add(a, part, tally, counts, looker.again);
    const auto b = looker.see(x.high, g.high, high);
    looker.add(b, next, tally, counts, looker.again);
    return {a.y, b.y};
  }

  void take(const LookedUnits& seen) {
    tally = seen.tally;
    counts = seen.counts;
  }
};

// What do_rows does with the elements of a block, which begins at `start`: it looks at them and steps them. A unit that begins
// before the block is stepped as a whole.
template <class Rule, class T>
struct LookedRows {
  const AdamasLaunch& launch;
  int64_t start, lost = 0;
  LookedUnits<Rule, T> units;

  LookedUnits<Rule, T>* registers(int64_t at) {
    if (at < start) return nullptr;
    units.tally.turn(at - start);
    return &units;
  }

  void stages(int64_t at, int64_t n, T* const* x) {
    const int64_t before = at < start ? start - at : 0;
    Tally<T> other;
    int64_t others = 0;
    if (before) run(before, x, other, others);
    T* from[2 + Rule::kSlots];
    for (int k = 0; k < 2 + Rule::kSlots; ++k) from[k] = x[k] + before;
    units.tally.turn(at + before - start);
    run(n - before, from, units.tally, lost);
  }

 private:
  void run(int64_t n, T* const* x, Tally<T>& tally, int64_t& missed) const {
    if (units.looker.again != kByWriting) {
      units.looker.run(true, n, x[0], x[1], x + 2, nullptr, x[0], tally);
      return;
    }
    alignas(64) T step[kUnit], next[kUnit], written[kUnit];
    units.looker.run(true, n, x[0], x[1], x + 2, step, next, tally);
    missed += count_lost(n, x[0], step, as_written(launch, next, n, written));
    __builtin_memcpy(x[0], next, size_t(n) * sizeof(T));
  }
};

// Look at a block of rows and step it, but for the elements behind its last unit, which the next block steps. Returns how many
// updates are lost, if weights must be written to know it.
template <class Rule, class T>
static int64_t look_and_step_rows(const AdamasLaunch& launch, const Looker<Rule, T>& looker, int64_t tensor, int64_t start,
                                  int64_t end, Tally<T>& tally) {
  Place place[2 + Rule::kSlots];
  for (int k = 0; k < 2 + Rule::kSlots; ++k) place[k] = place_of(launch, tensor, k);
  Randomness random = randomness_of(launch, tensor);
  LookedRows<Rule, T> rows = {launch, start, 0, {looker, {}, {}}};
  do_rows<Rule, T>(launch, tensor, start, end, place, weight_of(launch, tensor), rows, random);
  rows.units.counts.finish(rows.units.tally);
  tally = rows.units.tally;
  const int64_t behind = end < launch.numel[tensor] ? unit_of(end, launch.row_length[tensor]) : end;
  tally.turn(behind - start);
  return rows.lost + look(launch, looker, false, tensor, behind, end, tally);
}

// Look at as many elements of a block as can be stepped in the same sweep, and step them. Returns how many those are.
template <class Rule>
static int64_t look_and_step(const AdamasLaunch& launch, const Looker<Rule, float>& looker, int64_t tensor, int64_t start,
                             int64_t end, Tally<float>& to) {
  const int64_t n = (end - start) & ~int64_t(kStrip - 1);
  Place place[2 + Rule::kSlots];
  for (int k = 0; k < 2 + Rule::kSlots; ++k) place[k] = place_of(launch, tensor, k);
  const Weight weight = weight_of(launch, tensor);
  if (weight.split && (weight.low.layout || weight.low.dtype != ADAMAS_INT8)) return 0;
  const int32_t dtype = place[0].dtype, slot = Rule::kSlots ? place[2].dtype : ADAMAS_FLOAT32;
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    if (place[k].layout || place[k].dtype != (k < 2 ? dtype : slot)) return 0;
  }
  const Randomness random = randomness_of(launch, tensor);
  if (n == 0 || !random.in_strips()) return 0;
  Looked<Rule> looked = {looker, random.stochastic, {}};
  for (int k = 0; k < 2 + ADAMAS_MAX_SLOTS; ++k) looked.key[k] = random.dice(k, start).key;
  const uint32_t first = uint32_t(random.origin + start);
  float* p = reinterpret_cast<float*>(place[0].flat_at(start));
  uint16_t* h = reinterpret_cast<uint16_t*>(p);
  if (weight.split) {
    if (dtype != ADAMAS_BFLOAT16 || slot != ADAMAS_FLOAT32) return 0;
    const SplitWeights split = {h, reinterpret_cast<int8_t*>(weight.low.flat_at(start))};
    looked.template run_at<uint16_t, float>(split, place, start, first, n, to);
  } else if (dtype == ADAMAS_FLOAT32 && slot == ADAMAS_FLOAT32) {
    looked.template run_at<float, float>(p, place, start, first, n, to);
  } else if (dtype == ADAMAS_BFLOAT16 && slot == ADAMAS_FLOAT32) {
    looked.template run_at<uint16_t, float>(h, place, start, first, n, to);
  } else if (dtype == ADAMAS_BFLOAT16 && slot == ADAMAS_BFLOAT16) {
    looked.template run_at<uint16_t, uint16_t>(h, place, start, first, n, to);
  } else {
    return 0;
  }
  return n;
}
