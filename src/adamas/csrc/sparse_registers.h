// Touched rows whose weight, slots and gradient all are float32: in registers, each is caught up and stepped between one
// read and one write. While a row is worked on, one further on is asked for, a line with every register: asked for at
// once, the lines of a row fill the queue of loads, and the arithmetic behind them has to wait.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

constexpr int64_t kLine = 16;  // floats in a line of the cache
// Bytes of weights and slots from which a table is tall: its page table then has 4 MiB and more.
constexpr int64_t kTall = int64_t(1) << 31;
// How many lines to ask for at once there: with those before them they fit into a cache of 32 KiB.
constexpr int64_t kLinesAtOnce = 256;

// The rules whose rows may lag: see sparse/select.py.
template <class Rule>
constexpr bool kMayLag = false;
template <>
constexpr bool kMayLag<Adam> = true;
template <>
constexpr bool kMayLag<AMSGrad> = true;

template <class Rule>
static Strips<Rule> strips_at(const AdamasLaunch& launch, int64_t place) {
  const Numbers<Rule, float> row(launch, place);
  return strips_of<Rule>(row.a, row.own);
}

// Where the first elements are: of weight, gradient, slots.
template <class Rule>
struct Bases {
  float* at[2 + Rule::kSlots];
};

template <class Rule>
static Bases<Rule> bases_of(const AdamasRows& r) {
  Bases<Rule> base;
  base.at[0] = static_cast<float*>(r.launch->operand[0][0]);
  base.at[1] = static_cast<float*>(const_cast<void*>(r.values));
  for (int k = 0; k < Rule::kSlots; ++k) base.at[2 + k] = static_cast<float*>(r.launch->operand[2 + k][0]);
  return base;
}

// How far from there those of a row are. (A pointer each would be computed in registers of four, by way of memory.)
struct Offset {
  int64_t row, gradient;
};

// Ask for the lines that a register of a row, or several of them, are in.
template <class Rule>
static ADAMAS_INLINE void ask_for(const Bases<Rule>& base, const Offset row, int64_t i) {
  for (int k = 0; k < 2 + Rule::kSlots; ++k) __builtin_prefetch(base.at[k] + (k == 1 ? row.gradient : row.row) + i, 0, 3);
}

// Some registers of a row: what they have missed, if the row is behind, and their step. While it goes on, the same
// registers of another row are asked for, if that is wanted.
template <class Rule, bool kBehind>
static ADAMAS_INLINE void step_registers(const Strips<Rule>& strips, const Missed<Floats>& what, const Floats eps,
                                         int64_t n, const Bases<Rule>& base, const Offset row, bool ask,
                                         const Bases<Rule>& next, const Offset ahead) {
  for (int64_t i = 0; i < n; i += kLanes) {
    if (ask && i % kLine == 0) ask_for(next, ahead, i);
    const int64_t at = row.row + i;
    Floats x = load(base.at[0] + at), s[ADAMAS_MAX_SLOTS] = {};
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = load(base.at[2 + k] + at);
    if constexpr (kBehind) catch_up_values(what, moved(what, eps, s[0], s[Rule::kSlots - 1]), x, s[0], s[1]);
    store(base.at[0] + at, strips.step(x, load(base.at[1] + row.gradient + i), s));
    for (int k = 0; k < Rule::kSlots; ++k) store(base.at[2 + k] + at, s[k]);
  }
}

// The elements behind the last whole register, in a place of their own. Not inlined: nothing of it may cost longer rows.
template <class Rule, bool kBehind>
static __attribute__((noinline)) void step_rest(const Strips<Rule>& strips, const Missed<Floats>& what, const Floats eps,
                                                int64_t n, const Bases<Rule>& base, Offset row, bool ask,
                                                Offset ahead) {
  alignas(64) float own[2 + Rule::kSlots][kLanes] = {};
  const size_t bytes = size_t(n) * sizeof(float);
  Bases<Rule> here;
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    __builtin_memcpy(own[k], base.at[k] + (k == 1 ? row.gradient : row.row), bytes);
    here.at[k] = own[k];
  }
  step_registers<Rule, kBehind>(strips, what, eps, kLanes, here, {0, 0}, ask, base, ahead);
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    if (k != 1) __builtin_memcpy(base.at[k] + row.row, own[k], bytes);
  }
}

// Whether elements are too near eps for the series.
static __attribute__((noinline)) bool any_near_eps(const float* m, const float* square, int64_t n, float limit) {
  return any_far(n, m, square, limit);
}

// The same of a row. Most have no square below the limit, which is soon seen.
template <class Rule>
static ADAMAS_INLINE bool is_near_eps(const Bases<Rule>& base, int64_t row, int64_t length, const Floats limit) {
  const float *const m = base.at[2] + row, *const square = base.at[1 + Rule::kSlots] + row;
  bool clear = limit[0] > 0.0f && length % kLanes == 0;
  for (int64_t i = 0; clear && i < length; i += kLanes) clear = all_at_least(load(square + i), limit);
  return !clear && any_near_eps(m, square, length, limit[0]);
}

static ADAMAS_INLINE Missed<Floats> in_all_lanes(const Missed<float>& what) {
  Missed<Floats> all = {splat(what.keep), splat(what.power1), splat(what.power2), splat(what.limit), {}};
  for (int n = 0; n < kTerms; ++n) all.p[n] = splat(what.p[n]);
  return all;
}

static __attribute__((noinline)) void catch_up_alone(const AdamasRows& r, int64_t row) { Lagging<float>(r).catch_up(row); }

// How many rows to look at before they are moved: the divisions and the root that say what one has missed then do not wait
// for those of another, nor for its registers.
constexpr int64_t kGroup = 16;

// What the rows of a group have missed, those that are behind.
struct Group {
  bool behind[kGroup];
  Missed<float> what[kGroup];

  // Rows row[0] .. row[n - 1], or first .. first + n - 1. Of the rows behind them, up to `left` from row[0] on, those that
  // come in the next group are asked for when they were last stepped.
  __attribute__((noinline)) void look(const AdamasLag& lag, const int64_t* row, int64_t first, int64_t n, int64_t left) {
    int64_t known = -1, alike = 0;  // what was missed since then, and where that is
    for (int64_t k = 0; k < n; ++k) {
      if (row && k + kGroup < left) __builtin_prefetch(lag.last + row[k + kGroup], 1, 3);
      const int64_t since = lag.last[row ? row[k] : first + k];
      behind[k] = since < lag.now;
      if (!behind[k]) continue;
      what[k] = since == known ? what[alike] : missed<float>(lag, since - lag.start);
      known = since;
      alike = k;
    }
  }
};

// Rows of one parameter, and how far they are behind.
template <class Rule>
struct Run {
  const AdamasLag* lag;
  const int64_t *row, *source;
  int64_t length, entries, first, last;  // first, last: rows that there are to ask for
  int64_t to_added;                      // from where the row of values after the last would be to the first of `added`
  int64_t at_once;                       // how many to ask for together; 0: one by one
  Bases<Rule> base;
  Floats eps;

  Run(const AdamasRows& r, int64_t begin, int64_t end)
      : lag(r.lag), row(r.row), source(r.source), length(r.length), entries(r.entries), first(begin), last(end - 1),
        to_added(0), at_once(0), base(bases_of<Rule>(r)), eps(splat(lag ? float(lag->eps) : 0.0f)) {
    if (r.added) to_added = (intptr_t(r.added) - intptr_t(r.values)) / intptr_t(sizeof(float)) - entries * length;
    if (r.launch->numel[0] * int64_t(sizeof(float)) * (1 + Rule::kSlots) < kTall) return;
    const int64_t lines = (length + kLine - 1) / kLine * (2 + Rule::kSlots);
    at_once = lines < kLinesAtOnce ? kLinesAtOnce / lines : 1;
  }

  // The row to ask for while row k is stepped.
  int64_t ahead(int64_t k) const { return k + kRowsAhead < last ? k + kRowsAhead : last; }

  // Before row k: ask for the next rows, as many as are together, when those before them have been used up.
  ADAMAS_INLINE void ask(int64_t k) const {
    if ((k - first) % at_once == 0) ask_from(k == first ? k : k + at_once, k + 2 * at_once);
  }

  __attribute__((noinline)) void ask_from(int64_t begin, int64_t end) const {
    __asm__ volatile("");  // or GCC finds that it does nothing, and drops the call
    for (int64_t k = begin; k < end && k <= last; ++k) {
      for (int64_t i = 0; i < length; i += kLine) ask_for(base, offset(k), i);
    }
  }

  // (Multiplied here, not held: registers are few.)
  Offset offset(int64_t k) const {
    return {row[k] * length, source[k] * length + (source[k] < entries ? 0 : to_added)};
  }
};

// The whole registers of rows begin .. end of a group that begins with row `begin - at`. Returns the first of them that is
// behind and too near eps for the series, or end: all the rest is elsewhere, so that what this needs stays in registers.
template <class Rule>
static __attribute__((noinline)) int64_t step_group(const Run<Rule>& run, const Strips<Rule>& given, const Group& group,
                                                    int64_t at, int64_t begin, int64_t end) {
  const Strips<Rule> strips = given;
  const Bases<Rule> base = run.base;
  const Floats eps = run.eps;
  const int64_t length = run.length, whole = length - length % kLanes, at_once = run.at_once;
  int32_t* const last = run.lag ? run.lag->last : nullptr;
  const int32_t now = run.lag ? int32_t(run.lag->now) : 0;
  for (int64_t k = begin; k < end; ++k) {
    const Offset row = run.offset(k), ahead = run.offset(run.ahead(k));
    if (at_once) run.ask(k);
    if constexpr (kMayLag<Rule>) {
      const int64_t place = k - begin + at;
      if (last && group.behind[place]) {
        const Missed<Floats> what = in_all_lanes(group.what[place]);
        if (is_near_eps<Rule>(base, row.row, length, what.limit)) return k;
        last[run.row[k]] = now + 1;
        step_registers<Rule, true>(strips, what, eps, whole, base, row, !at_once, base, ahead);
        continue;
      }
    }
    if (last) last[run.row[k]] = now + 1;
    step_registers<Rule, false>(strips, Missed<Floats>{}, eps, whole, base, row, !at_once, base, ahead);
  }
  return end;
}

// Touched rows begin .. end.
template <class Rule>
static void step_in_registers(const AdamasRows& r, int64_t begin, int64_t end) {
  const Run<Rule> run(r, begin, end);
  const bool together = kMayLag<Rule> && r.lag && bool(r.lag->constant) == (Rule::kSlots == 3);
  const int64_t left = r.length % kLanes, whole = r.length - left;
  int64_t place = r.launch->row[0];
  Strips<Rule> strips = strips_at<Rule>(*r.launch, place);
  Group group;
  for (int64_t k = begin, stop; k < end; k = stop) {
    if (r.scalars && r.scalars[k] != place) strips = strips_at<Rule>(*r.launch, place = r.scalars[k]);
    stop = r.scalars || left ? k + 1 : k + kGroup < end ? k + kGroup : end;
    if (r.lag) group.look(*r.lag, r.row + k, 0, stop - k, end - k);
    for (int64_t j = k; r.lag && !together && j < stop; ++j) {
      if (group.behind[j - k]) catch_up_alone(r, r.row[j]);
      group.behind[j - k] = false;
    }
    for (int64_t done = k; (done = step_group(run, strips, group, done - k, done, stop)) < stop;) {
      catch_up_alone(r, r.row[done]);
      group.behind[done - k] = false;
    }
    if (!left) continue;
    const Offset row = run.offset(k), ahead = run.offset(run.ahead(k));
    const Offset rest = {row.row + whole, row.gradient + whole}, next = {ahead.row + whole, ahead.gradient + whole};
    if constexpr (kMayLag<Rule>) {
      if (r.lag && group.behind[0]) {
        step_rest<Rule, true>(strips, in_all_lanes(group.what[0]), run.eps, left, run.base, rest, !run.at_once, next);
        continue;
      }
    }
    step_rest<Rule, false>(strips, Missed<Floats>{}, run.eps, left, run.base, rest, !run.at_once, next);
  }
}

// Catch up rows begin .. end, each of whole registers; returns how many were behind.
template <class Rule>
static int64_t catch_up_in_registers(const AdamasRows& r, int64_t begin, int64_t end) {
  const AdamasLag& lag = *r.lag;
  const Floats eps = splat(float(lag.eps));
  const Ahead ahead(r);
  const Bases<Rule> base = bases_of<Rule>(r);
  int64_t behind = 0;
  Group group;
  for (int64_t k = begin; k < end; ++k) {
    const int64_t place = (k - begin) % kGroup;
    if (!place) {
      group.look(lag, r.row ? r.row + k : nullptr, k, k + kGroup < end ? kGroup : end - k, end - k);
    }
    ahead.ask(k, end);
    if (!group.behind[place]) continue;
    ++behind;
    const int64_t row = r.row ? r.row[k] : k;
    const Missed<Floats> what = in_all_lanes(group.what[place]);
    if (is_near_eps<Rule>(base, row * r.length, r.length, what.limit)) {
      catch_up_alone(r, row);
      continue;
    }
    for (int64_t i = row * r.length; i < (row + 1) * r.length; i += kLanes) {
      Floats x = load(base.at[0] + i), m = load(base.at[2] + i), v = load(base.at[3] + i);
      catch_up_values(what, moved(what, eps, m, load(base.at[1 + Rule::kSlots] + i)), x, m, v);
      store(base.at[0] + i, x);
      store(base.at[2] + i, m);
      store(base.at[3] + i, v);
    }
    lag.last[row] = int32_t(lag.now);
  }
  return behind;
}
