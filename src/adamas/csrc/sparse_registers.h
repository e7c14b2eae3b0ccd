// Touched rows whose weight, slots and gradient all are float32: in registers, each is caught up and stepped between one
// read and one write. Rows further on are asked for meanwhile (sparse_ahead.h), line by line: a line with every register, as
// those of a row asked for at once fill the queue of loads, and the arithmetic behind them has to wait. How much else a
// processor finds to do is bounded by how many instructions it has room for, so that the loops here have as few as can be.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

constexpr int64_t kLine = 16;  // floats in a line of the cache
// Bytes of weights and slots from which a table is tall, and its rows always asked for together: its page table then has
// 4 MiB and more.
constexpr int64_t kTall = int64_t(1) << 31;

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
template <bool kTogether, class Rule>
static ADAMAS_INLINE void ask_for(const Bases<Rule>& base, const Offset row, int64_t i) {
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    ask_for_line<kTogether>(base.at[k] + (k == 1 ? row.gradient : row.row) + i);
  }
}

// How a row is before its step.
enum Before {
  kCaughtUp,
  kBehind,
  kClear,  // behind, and clear of eps, unless a square says otherwise
};

// Where the registers of another row are that are asked for, if any, while those of one are stepped.
enum Asked {
  kNone,
  kInMemory,
  kInL2,  // where rows come that are asked for together
};

// The registers of a row from element `from` to n: what they have missed, and their step, while others are asked for.
// Returns n, or where the first register is that is not clear.
template <class Rule, Before kBefore, Asked kAsked, class What>
static ADAMAS_INLINE int64_t step_registers(const Strips<Rule>& strips, const What& what, int64_t from, int64_t n,
                                            const Bases<Rule>& base, const Offset row, const Offset ahead) {
  for (int64_t i = from; i < n; i += kLanes) {
    const int64_t at = row.row + i;
    Floats x = load(base.at[0] + at), g = load(base.at[1] + row.gradient + i), s[ADAMAS_MAX_SLOTS] = {};
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = load(base.at[2 + k] + at);
    if (kAsked != kNone && i % kLine == 0) ask_for<false>(base, ahead, i);
    if constexpr (kAsked == kInMemory) {
      hold(x);
      hold(g);
      for (int k = 0; k < Rule::kSlots; ++k) hold(s[k]);
    }
    if constexpr (kBefore != kCaughtUp) {
      const Floats square = s[Rule::kSlots - 1];
      if (kBefore == kClear && !all_at_least(square, what.clear)) return i;
      catch_up_values(what, moved(what, s[0], square), x, s[0], s[1]);
    }
    store(base.at[0] + at, strips.step(x, g, s));
    for (int k = 0; k < Rule::kSlots; ++k) store(base.at[2 + k] + at, s[k]);
  }
  return n;
}

// The elements of a row behind its last whole register, in a place of their own.
template <class Rule, Before kBefore, class What>
static __attribute__((noinline)) void step_rest(const Strips<Rule>& strips, const What& what, int64_t n,
                                                const Bases<Rule>& base, const Offset row) {
  alignas(64) float own[2 + Rule::kSlots][kLanes] = {};
  const size_t bytes = size_t(n) * sizeof(float);
  Bases<Rule> here;
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    __builtin_memcpy(own[k], base.at[k] + (k == 1 ? row.gradient : row.row), bytes);
    here.at[k] = own[k];
  }
  step_registers<Rule, kBefore, kNone>(strips, what, 0, kLanes, here, {0, 0}, {0, 0});
  for (int k = 0; k < 2 + Rule::kSlots; ++k) {
    if (k != 1) __builtin_memcpy(base.at[k] + row.row, own[k], bytes);
  }
}

// Whether any of n elements is too near eps for the series.
template <class Rule>
static __attribute__((noinline)) bool any_near_eps(const Bases<Rule>& base, int64_t at, int64_t n, float least) {
  return any_far(n, base.at[2] + at, base.at[1 + Rule::kSlots] + at, least);
}

#include "sparse_group.h"

// Rows of one parameter, and how far they are behind.
template <class Rule>
struct Run {
  const AdamasLag* lag;
  const int32_t *row, *source;
  int64_t length, entries, first, last;  // first, last: rows that there are to ask for
  int64_t to_added;                      // from where the row of values after the last would be to the first of `added`
  int64_t at_once;                       // how many to ask for together; 0: one by one
  Bases<Rule> base;

  Run(const AdamasRows& r, const Stretch& some)
      : lag(r.lag), row(r.row), source(r.source), length(r.length), entries(r.entries), first(some.first), last(some.last - 1),
        to_added(0), at_once(0), base(bases_of<Rule>(r)) {
    if (r.added) to_added = (intptr_t(r.added) - intptr_t(r.values)) / intptr_t(sizeof(float)) - entries * length;
    const int64_t lines = (length + kLine - 1) / kLine * (2 + Rule::kSlots);
    const bool tall = r.launch->numel[0] * int64_t(sizeof(float)) * (1 + Rule::kSlots) >= kTall;
    if (r.together || tall) at_once = rows_together(lines);
  }

  // The row to ask for while row k is stepped, line by line: of memory, or of L2, where rows asked for together are.
  template <Asked kAsked>
  int64_t ahead(int64_t k) const {
    const int64_t row = k + (kAsked == kInL2 ? kRowsNear : kRowsAhead);
    return row < last ? row : last;
  }

  // Before row k: ask for the next rows, as many as are together, when those before them have been used up.
  ADAMAS_INLINE void ask(int64_t k) const {
    if ((k - first) % at_once == 0) ask_from(k == first ? k : k + at_once, k + 2 * at_once);
  }

  __attribute__((noinline)) void ask_from(int64_t begin, int64_t end) const {
    __asm__ volatile("");  // or GCC finds that it does nothing, and drops the call
    for (int64_t k = begin; k < end && k <= last; ++k) {
      if (lag) ask_for_line<true>(lag->last + row[k]);  // again: what Group asked for before all these waits for them
      for (int64_t i = 0; i < length; i += kLine) ask_for<true>(base, offset(k), i);
    }
  }

  // (Multiplied here, not held: registers are few.)
  Offset offset(int64_t k) const {
    return {int64_t(row[k]) * length, int64_t(source[k]) * length + (source[k] < entries ? 0 : to_added)};
  }

  // Where the last elements of row k are.
  Offset rest(int64_t k, int64_t left) const {
    const Offset begin = offset(k);
    return {begin.row + length - left, begin.gradient + length - left};
  }
};

// The whole registers of rows begin .. end, which lag no more.
template <class Rule, Asked kAsked>
static __attribute__((noinline)) void step_plain(const Run<Rule>& run, const Strips<Rule>& given, int64_t begin,
                                                 int64_t end) {
  const Strips<Rule> strips = given;
  const Bases<Rule> base = run.base;
  const int64_t whole = run.length - run.length % kLanes;
  for (int64_t k = begin; k < end; ++k) {
    const Offset row = run.offset(k), ahead = run.offset(run.template ahead<kAsked>(k));
    if (kAsked == kInL2) run.ask(k);
    step_registers<Rule, kCaughtUp, kAsked>(strips, Missed<Floats>{}, 0, whole, base, row, ahead);
  }
}

// A row of a group, and the element that it is done up to.
struct Stop {
  int64_t row, element;
};

// The same of rows that may lag, of a group that begins with row `begin - at`. Stops where an element is behind and not clear
// of eps: all that this takes is elsewhere, so that what is needed here stays in registers.
template <class Rule, Asked kAsked>
static __attribute__((noinline)) Stop step_group(const Run<Rule>& run, const Strips<Rule>& given, const Group& group,
                                                 int64_t at, int64_t begin, int64_t end) {
  Strips<Rule> strips = given;
  strips.coupled = false;  // as it is; said here, it costs no instruction
  strips.scaled = true;    // by 1, if by nothing else
  const Bases<Rule> base = run.base;
  const int64_t whole = run.length - run.length % kLanes;
  for (int64_t k = begin; k < end; ++k) {
    const Offset row = run.offset(k), ahead = run.offset(run.template ahead<kAsked>(k));
    if (kAsked == kInL2) run.ask(k);
    const int64_t place = k - begin + at;
    if (!group.behind[place]) {
      step_registers<Rule, kCaughtUp, kAsked>(strips, Missed<Floats>{}, 0, whole, base, row, ahead);
      continue;
    }
    const Missed<Floats> what = in_all_lanes(group.what[place]);
    const int64_t done = step_registers<Rule, kClear, kAsked>(strips, what, 0, whole, base, row, ahead);
    if (done < whole) return {k, done};
  }
  return {end, 0};
}

// The whole registers of a row that such a stop left.
template <class Rule>
static __attribute__((noinline)) void step_slowly(const AdamasRows& r, const Run<Rule>& run, const Strips<Rule>& strips,
                                                  Group& group, int64_t place, const Stop stop) {
  const Offset row = run.offset(stop.row);
  const int64_t whole = r.length - r.length % kLanes;
  const Expanded<float> what = group.expand(*r.lag, place);
  if (any_near_eps(run.base, row.row + stop.element, r.length - stop.element, what.least)) {
    group.catch_up_alone(r, place, r.row[stop.row], stop.element);
    step_registers<Rule, kCaughtUp, kNone>(strips, Missed<Floats>{}, stop.element, whole, run.base, row, row);
  } else {
    step_registers<Rule, kBehind, kNone>(strips, in_all_lanes(what), stop.element, whole, run.base, row, row);
  }
}

// Rows begin .. end of a group, and of the first of them also the `left` elements behind its whole registers.
template <class Rule, Asked kAsked>
static void step_lagging(const AdamasRows& r, const Run<Rule>& run, const Strips<Rule>& strips, Group& group, int64_t begin,
                         int64_t end, int64_t left) {
  for (Stop stop = {begin, 0};; ++stop.row) {
    stop = step_group<Rule, kAsked>(run, strips, group, stop.row - begin, stop.row, end);
    if (stop.row == end) break;
    step_slowly(r, run, strips, group, stop.row - begin, stop);
  }
  if (!left) return;
  const Offset rest = run.rest(begin, left);
  if (group.behind[0]) {
    const Expanded<float> what = group.expand(*r.lag, 0);
    if (!any_near_eps(run.base, rest.row, left, what.least)) {
      return step_rest<Rule, kBehind>(strips, in_all_lanes(what), left, run.base, rest);
    }
    group.catch_up_alone(r, 0, r.row[begin], r.length - left);
  }
  step_rest<Rule, kCaughtUp>(strips, Missed<Floats>{}, left, run.base, rest);
}

// Some touched rows, asking for many together or for each alone.
template <class Rule, Asked kAsked>
static void step_in_groups(const AdamasRows& r, const Run<Rule>& run, const Stretch& some) {
  const bool lagging = kMayLag<Rule> && r.lag && bool(r.lag->constant) == (Rule::kSlots == 3);
  const int64_t left = r.length % kLanes, most = r.scalars || left ? 1 : r.lag ? kGroup : some.end;
  int64_t place = r.launch->row[0];
  Strips<Rule> strips = strips_at<Rule>(*r.launch, place);
  Group group;
  for (int64_t k = some.begin, stop; k < some.end; k = stop) {
    if (r.scalars && r.scalars[k] != place) strips = strips_at<Rule>(*r.launch, place = r.scalars[k]);
    stop = k + most < some.end ? k + most : some.end;
    if (left && kAsked == kInMemory) ask_for<false>(run.base, run.rest(run.template ahead<kAsked>(k), left), 0);
    if (r.lag) group.look(*r.lag, r.row + k, 0, stop - k, some.last - k, int32_t(r.lag->now + 1));
    if constexpr (kMayLag<Rule>) {
      if (lagging && !strips.coupled) {  // coupled, v of rows that are behind would grow, too: nobody asks for both
        step_lagging<Rule, kAsked>(r, run, strips, group, k, stop, left);
        continue;
      }
    }
    for (int64_t j = k; r.lag && j < stop; ++j) {
      if (group.behind[j - k]) group.catch_up_alone(r, j - k, r.row[j], 0);
    }
    step_plain<Rule, kAsked>(run, strips, k, stop);
    if (left) step_rest<Rule, kCaughtUp>(strips, Missed<Floats>{}, left, run.base, run.rest(k, left));
  }
}

// Some touched rows.
template <class Rule>
static void step_in_registers(const AdamasRows& r, const Stretch& some) {
  const Run<Rule> run(r, some);
  if (run.at_once) return step_in_groups<Rule, kInL2>(r, run, some);
  step_in_groups<Rule, kInMemory>(r, run, some);
}

#include "sparse_reads.h"
