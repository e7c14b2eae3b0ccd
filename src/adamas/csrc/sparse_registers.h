// Touched rows whose weight, slots and gradient all are float32: in registers, each is caught up and stepped between one
// read and one write. While a row is worked on, one further on is asked for, a line with every register: asked for at
// once, the lines of a row fill the queue of loads, and the arithmetic behind them has to wait.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// How many rows ahead to ask for memory: rows are at random places, where the hardware's prefetchers see no pattern.
constexpr int64_t kRowsAhead = 12;
constexpr int64_t kLine = 16;  // floats in a line of the cache

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

// How far from there those of a row are. (A pointer each would be computed in registers of four, by way of memory.)
struct Offset {
  int64_t row, gradient;
};

// Some registers of a row: what they have missed, if the row is behind, and their step.
template <class Rule, bool kBehind>
static ADAMAS_INLINE void step_registers(const Strips<Rule>& strips, const Missed<Floats>& what, const Floats eps,
                                         int64_t n, const Bases<Rule>& base, const Offset row, const Bases<Rule>& next,
                                         const Offset ahead) {
  for (int64_t i = 0; i < n; i += kLanes) {
    if (i % kLine == 0) {
      for (int k = 0; k < 2 + Rule::kSlots; ++k) {
        __builtin_prefetch(next.at[k] + (k == 1 ? ahead.gradient : ahead.row) + i, 0, 3);
      }
    }
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
                                                int64_t n, const Bases<Rule>& base, Offset row, Offset ahead) {
  alignas(64) float own[2 + Rule::kSlots][kLanes] = {};
  const size_t bytes = size_t(n) * sizeof(float);
  Bases<Rule> here;
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    __builtin_memcpy(own[k], base.at[k] + (k == 1 ? row.gradient : row.row), bytes);
    here.at[k] = own[k];
  }
  step_registers<Rule, kBehind>(strips, what, eps, kLanes, here, {0, 0}, base, ahead);
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    if (k != 1) __builtin_memcpy(base.at[k] + row.row, own[k], bytes);
  }
}

// One row; ahead: the one to ask for.
template <class Rule, bool kBehind>
static ADAMAS_INLINE void step_row(const Strips<Rule>& strips, const Missed<Floats>& what, const Floats eps,
                                   int64_t length, const Bases<Rule>& base, const Offset row, const Offset ahead) {
  const int64_t left = length % kLanes, whole = length - left;
  step_registers<Rule, kBehind>(strips, what, eps, whole, base, row, base, ahead);
  if (!left) return;
  const Strips<Rule> own = strips;  // copies: what a call is given the address of is no longer kept in registers
  const Missed<Floats> own_what = what;
  const Bases<Rule> own_base = base;
  step_rest<Rule, kBehind>(own, own_what, eps, left, own_base, {row.row + whole, row.gradient + whole},
                           {ahead.row + whole, ahead.gradient + whole});
}

static inline bool any_lane(const Ints mask) {
  int32_t any = 0;
  for (int k = 0; k < kLanes; ++k) any |= mask[k];
  return any != 0;
}

// Whether a row has elements too near eps for the series.
template <class Rule>
static ADAMAS_INLINE bool is_near_eps(const Bases<Rule>& base, int64_t row, int64_t length, const Floats limit) {
  const float *const m = base.at[2] + row, *const square = base.at[1 + Rule::kSlots] + row;
  const int64_t whole = length - length % kLanes;
  Ints far = {};
  for (int64_t i = 0; i < whole; i += kLanes) far |= is_far(load(m + i), load(square + i), limit);
  bool any = any_lane(far);
  for (int64_t i = whole; i < length; ++i) any |= is_far(m[i], square[i], limit[0]);
  return any;
}

static __attribute__((noinline)) Missed<Floats> missed_in_all_lanes(const AdamasLag& lag, int64_t birth) {
  const Missed<float> what = missed<float>(lag, birth);
  Missed<Floats> all = {splat(what.keep), splat(what.power1), splat(what.power2), splat(what.limit), {}};
  for (int n = 0; n < kTerms; ++n) all.p[n] = splat(what.p[n]);
  return all;
}

static __attribute__((noinline)) void catch_up_alone(const AdamasRows& r, int64_t row) { Lagging<float>(r).catch_up(row); }

// Touched rows begin .. end.
template <class Rule>
static void step_in_registers(const AdamasRows& r, int64_t begin, int64_t end) {
  const AdamasLag* const lag = r.lag;
  const int64_t *const rows = r.row, *const source = r.source, length = r.length;
  const auto offset = [=](int64_t k) { return Offset{rows[k] * length, (source ? source[k] : k) * length}; };
  Bases<Rule> base;
  base.at[0] = static_cast<float*>(r.launch->operand[0][0]);
  base.at[1] = static_cast<float*>(const_cast<void*>(r.values));
  for (int k = 0; k < Rule::kSlots; ++k) base.at[2 + k] = static_cast<float*>(r.launch->operand[2 + k][0]);
  const Floats eps = splat(lag ? float(lag->eps) : 0.0f);
  const bool together = kMayLag<Rule> && lag && bool(lag->constant) == (Rule::kSlots == 3);
  int64_t place = r.launch->row[0], known = -1;  // the step that `what` has been missed since
  Strips<Rule> strips = strips_at<Rule>(*r.launch, place);
  Missed<Floats> what = {};
  for (int64_t k = begin; k < end; ++k) {
    const int64_t next = k + kRowsAhead < end ? k + kRowsAhead : end - 1;
    const Offset row = offset(k), ahead = offset(next);
    if (r.scalars && r.scalars[k] != place) strips = strips_at<Rule>(*r.launch, place = r.scalars[k]);
    if (lag) {
      __builtin_prefetch(lag->last + rows[next], 1, 3);
      const int32_t since = lag->last[rows[k]];
      if constexpr (kMayLag<Rule>) {
        if (together && since < lag->now) {
          if (since != known) what = missed_in_all_lanes(*lag, (known = since) - lag->start);
          if (!is_near_eps<Rule>(base, row.row, length, what.limit)) {
            step_row<Rule, true>(strips, what, eps, length, base, row, ahead);
            lag->last[rows[k]] = int32_t(lag->now + 1);
            continue;
          }
        }
      }
      if (since < lag->now) catch_up_alone(r, rows[k]);
      lag->last[rows[k]] = int32_t(lag->now + 1);
    }
    step_row<Rule, false>(strips, what, eps, length, base, row, ahead);
  }
}
