// Some rows that may be behind, and what each of them has missed.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

static ADAMAS_INLINE Missed<Floats> in_all_lanes(const Missed<float>& what) {
  return {splat(what.keep), splat(what.power1), splat(what.power2), splat(what.total), splat(what.shift), splat(what.clear)};
}

static ADAMAS_INLINE Expanded<Floats> in_all_lanes(const Expanded<float>& what) {
  Expanded<Floats> all = {in_all_lanes(static_cast<const Missed<float>&>(what)), splat(what.eps), {}, splat(what.least)};
  for (int n = 0; n < kTerms; ++n) all.p[n] = splat(what.p[n]);
  return all;
}

// How many rows to look at before they are moved: the divisions that say what one has missed then do not wait
// for those of another, nor for its registers.
constexpr int64_t kGroup = 16;

// What the rows of a group have missed, those that are behind.
struct Group {
  bool behind[kGroup];
  int32_t since[kGroup];
  Missed<float> what[kGroup];

  // Rows row[0] .. row[n - 1], or first .. first + n - 1: note when they were last stepped, and that they are at the step
  // `now` from here on. Of the rows behind them, up to `left` from row[0] on, those that come in the next group are asked for.
  __attribute__((noinline)) void look(const AdamasLag& lag, const int32_t* row, int64_t first, int64_t n, int64_t left,
                                      int32_t now) {
    int64_t known = -1, alike = 0;  // what was missed since then, and where that is
    for (int64_t k = 0; k < n; ++k) {
      if (row && k + kGroup < left) __builtin_prefetch(lag.last + row[k + kGroup], 1, 3);
      int32_t& last = lag.last[row ? row[k] : first + k];
      since[k] = last;
      behind[k] = last < lag.now;
      last = now;
      if (!behind[k]) continue;
      what[k] = since[k] == known ? what[alike] : missed<float>(lag, since[k] - lag.start);
      known = since[k];
      alike = k;
    }
  }

  // What a row of the group that is behind has missed, with the series.
  Expanded<float> expand(const AdamasLag& lag, int64_t place) const {
    return expanded(lag, since[place] - lag.start, what[place]);
  }

  // Catch up a row of the group from this element on, one element after the other.
  __attribute__((noinline)) void catch_up_alone(const AdamasRows& r, int64_t place, int64_t row, int64_t from) {
    Lagging<float>(r).catch_up(row, from, since[place]);
    behind[place] = false;
  }
};
