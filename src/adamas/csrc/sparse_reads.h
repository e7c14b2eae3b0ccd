// Rows that are caught up in registers because they are read, not stepped.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// What the registers of a row from element `from` to n have missed. Returns n, or where the first is that is not clear.
template <class Rule, Before kBefore, class What>
static ADAMAS_INLINE int64_t catch_up_registers(const What& what, int64_t from, int64_t n, const Bases<Rule>& base,
                                                int64_t row) {
  for (int64_t i = from; i < n; i += kLanes) {
    Floats x = load(base.at[0] + row + i), m = load(base.at[2] + row + i), v = load(base.at[3] + row + i);
    const Floats square = load(base.at[1 + Rule::kSlots] + row + i);
    if (kBefore == kClear && !all_at_least(square, what.clear)) return i;
    catch_up_values(what, moved(what, m, square), x, m, v);
    store(base.at[0] + row + i, x);
    store(base.at[2] + row + i, m);
    store(base.at[3] + row + i, v);
  }
  return n;
}

// Catch up some rows, each of whole registers; returns how many were behind.
template <class Rule>
static int64_t catch_up_in_registers(const AdamasRows& r, const Stretch& some) {
  const AdamasLag& lag = *r.lag;
  const Ahead ahead(r, some);
  const Bases<Rule> base = bases_of<Rule>(r);
  int64_t behind = 0;
  Group group;
  for (int64_t k = some.begin; k < some.end; ++k) {
    const int64_t place = (k - some.begin) % kGroup, n = k + kGroup < some.end ? kGroup : some.end - k;
    if (!place) group.look(lag, r.row ? r.row + k : nullptr, k, n, some.last - k, int32_t(lag.now));
    ahead.ask(k);
    if (!group.behind[place]) continue;
    ++behind;
    const int64_t row = r.row ? r.row[k] : k, at = row * r.length;
    const int64_t done = catch_up_registers<Rule, kClear>(in_all_lanes(group.what[place]), 0, r.length, base, at);
    if (done == r.length) continue;
    const Expanded<float> what = group.expand(lag, place);
    if (any_near_eps(base, at + done, r.length - done, what.least)) {
      group.catch_up_alone(r, place, row, done);
    } else {
      catch_up_registers<Rule, kBehind>(in_all_lanes(what), done, r.length, base, at);
    }
  }
  return behind;
}
