// Calls the C ABI with random arguments: a call with one instruction set and number of threads, then the same call with
// others. Both must leave the same bits, touch nothing else, and refuse what is out of range.
//
//   calls SEED CALLS [FIRST]
//
// prints a hash of all results: another build must print the same. A failure names the call, which FIRST then begins with.

#include "launches.h"

#define CHECK(what)                                                                        \
  do {                                                                                     \
    if (!(what)) {                                                                         \
      fprintf(stderr, "calls %llu 2 %llu: %s\n", seed_of_all, number_of_call, #what); \
      abort();                                                                             \
    }                                                                                      \
  } while (0)

static unsigned long long seed_of_all, number_of_call;
static std::vector<const char*> isas;
static const int32_t kThreads[] = {1, 2, 3, 5};

// Run a call twice, on different instruction sets and threads, from the same memory; return the hash of what it left.
template <class Call>
static uint64_t twice(Random& random, Launch& l, Call call) {
  l.keep();
  uint64_t hash[2];
  for (uint64_t& each : hash) {
    l.restore();
    adamas_use_isa(isas[size_t(random.upto(int64_t(isas.size()) - 1))]);
    each = l.digest(call());
    CHECK(l.intact());
    l.c.threads = kThreads[random.upto(3)];
  }
  CHECK(hash[0] == hash[1]);
  return hash[0];
}

static uint64_t hash_of(const Memory& numbers) {
  CHECK(numbers.intact());
  return numbers.digest(1);
}

static uint64_t step(Random& random) {
  Launch l;
  Drawing(random, l).draw(int32_t(random.upto(int64_t(rules::all.size()) - 1)));
  return twice(random, l, [&] {
    CHECK(adamas_step(&l.c) == 0);
    return uint64_t(1);
  });
}

static uint64_t statistics(Random& random) {
  Launch l;
  Drawing(random, l).draw(int32_t(random.upto(int64_t(rules::all.size()) - 1)));
  Memory limits(l.rows * 32, ADAMAS_FLOAT64, 1), partial(l.blocks() * ADAMAS_STATISTICS * 8, ADAMAS_FLOAT64, 1);
  Memory out(l.c.tensors * ADAMAS_STATISTICS * 8, ADAMAS_FLOAT64, 3);
  limits.fill(random, false);
  const int32_t take = int32_t(random.upto(1));
  return twice(random, l, [&] {
    CHECK(adamas_statistics(&l.c, reinterpret_cast<double*>(limits.data()), take, reinterpret_cast<double*>(partial.data()),
                            reinterpret_cast<double*>(out.data())) == 0);
    CHECK(partial.intact());
    CHECK(take || l.unchanged());
    return hash_of(out);
  });
}

static uint64_t ratios(Random& random) {
  Launch l;
  int32_t rule = kAdam;
  do rule = int32_t(random.upto(int64_t(rules::all.size()) - 1));
  while (rules::all[size_t(rule)].second < 0);
  Drawing(random, l).draw(rule);
  Memory moments(l.rows * 32, ADAMAS_FLOAT64, 1), partial(l.blocks() * 8, ADAMAS_FLOAT64, 1), out(l.c.tensors * 8, ADAMAS_FLOAT64, 1);
  moments.fill(random, false);
  return twice(random, l, [&] {
    CHECK(adamas_ratios(&l.c, l.rule.second, reinterpret_cast<double*>(moments.data()),
                        reinterpret_cast<double*>(partial.data()), reinterpret_cast<double*>(out.data())) == 0);
    CHECK(partial.intact() && l.unchanged());
    return hash_of(out);
  });
}

static uint64_t squares(Random& random) {
  Launch l;
  Drawing(random, l).draw(0);
  for (const AdamasLayout* each : l.layout) {
    if (each) return 0;  // gradients are flat here
  }
  Memory partial(l.blocks() * 8, ADAMAS_FLOAT64, 1), out(l.c.tensors * 8, ADAMAS_FLOAT64, 1);
  return twice(random, l, [&] {
    CHECK(adamas_squares(l.c.dtype[1], l.c.threads, l.c.tensors, l.c.numel, l.c.first_block,
                         const_cast<const void* const*>(l.c.operand[1]), reinterpret_cast<double*>(partial.data()),
                         reinterpret_cast<double*>(out.data())) == 0);
    CHECK(partial.intact() && l.unchanged());
    return hash_of(out);
  });
}

// Numbers that sparse/table.py could have made, though of no real training.
struct Table {
  std::vector<double> sums, kept, rate, unbias, power1, power2, half2;
  AdamasLag c = {};

  Table(Random& random, bool constant, int32_t* last) {
    const int64_t steps = random.upto(40), reach = random.from(1, 30);
    for (int64_t i = 0; i <= steps; ++i) {
      kept.push_back(i ? kept.back() * (1 - 0.1 * random.share()) : 1.0);
      rate.push_back(random.share());
      unbias.push_back(1 + random.share());
      power1.push_back(i ? power1.back() * 0.9 : 1.0);
      power2.push_back(i ? power2.back() * 0.99 : 1.0);
      for (int k = 0; k < ADAMAS_SUMS; ++k) sums.push_back(random.once_in(10) ? 0.0 : random.share());
    }
    for (int64_t i = 0; i <= reach; ++i) half2.push_back(constant || !i ? 1.0 : half2.back() * 0.995);
    c.start = random.from(0, 100), c.now = c.start + steps, c.reach = reach;
    c.constant = constant, c.last = last, c.sums = sums.data(), c.half2 = half2.data();
    c.eps = random.once_in(3) ? 0.0 : 1e-8, c.tolerance = 0x1p-25;
    aim();
  }

  // Where the arrays of steps are, which move when they grow.
  void aim() {
    c.kept = kept.data(), c.rate = rate.data(), c.unbias = unbias.data();
    c.power1 = power1.data(), c.power2 = power2.data();
  }
};

static uint64_t rows(Random& random) {
  Launch l;
  const bool lags = random.once_in(2), catches_up = lags && random.once_in(3);
  const int32_t rule = lags ? int32_t(random.from(kAdam, kAmsgrad)) : int32_t(random.upto(int64_t(rules::all.size()) - 1));
  const int64_t height = random.from(1, random.once_in(20) ? 600 : 40);
  const int64_t length = random.once_in(3) ? 32 * random.from(1, 4) : random.from(1, random.once_in(9) ? 700 : 90);
  Drawing(random, l).draw(rule, height, length, lags);
  std::vector<int32_t> row, source;
  for (int64_t i = 0; i < height; ++i) {
    if (random.once_in(2)) row.push_back(int32_t(i));
  }
  const int64_t added = random.once_in(2) ? 0 : random.upto(int64_t(row.size())), entries = int64_t(row.size()) - added;
  for (size_t i = 0; i < row.size(); ++i) source.push_back(int32_t(row.size() - 1 - i));
  std::vector<int32_t> scalars;
  for (size_t i = 0; i < row.size(); ++i) scalars.push_back(int32_t(random.upto(l.rows - 1)));
  const int32_t dtype = random.once_in(3) ? l.c.compute : l.c.dtype[0];
  Memory values(entries * length * width_of(dtype), dtype, random.upto(7));
  Memory sums(added * length * width_of(l.c.compute), l.c.compute, random.upto(7));
  for (Memory* each : {&values, &sums}) each->fill(random, true);
  l.memories.push_back(std::make_unique<Memory>(height * 4, ADAMAS_INT16, 2));  // steps of rows: whole numbers
  int32_t* last = reinterpret_cast<int32_t*>(l.memories.back()->data());
  Table table(random, rule == kAmsgrad, last);
  for (int64_t i = 0; i < height; ++i) last[i] = int32_t(random.from(table.c.start, table.c.now));
  AdamasRows c = {&l.c, length, int64_t(row.size()), row.data(), source.data(), values.data(),
                  added ? sums.data() : nullptr, entries, dtype, random.once_in(3) ? scalars.data() : nullptr, lags ? &table.c : nullptr, 0, nullptr};
  if (catches_up && random.once_in(2)) c.row = nullptr, c.count = height;
  if (catches_up && random.once_in(2)) c.values = nullptr, c.source = nullptr;
  AdamasTrial trial = {random.upto(2000), {double(random.upto(1)), double(random.upto(1))}};
  if (random.once_in(2)) c.trial = &trial;
  return twice(random, l, [&]() -> uint64_t {
    c.together = int32_t(random.upto(1));
    const int64_t done = catches_up ? adamas_catch_up(&c) : adamas_step_rows(&c);
    CHECK(catches_up ? done >= 0 && done <= height : done == 0);
    return uint64_t(done);
  });
}

static uint64_t merging(Random& random) {
  const int64_t count = random.upto(random.once_in(8) ? 9000 : 60), width = random.from(1, 40);
  const int64_t height = random.once_in(2) ? random.from(1, 100) : random.from(1, random.once_in(2) ? 20000 : 2147483647);
  std::vector<int64_t> index(size_t(count), 0);
  Memory memory((8 * count + 2) * 4, ADAMAS_FLOAT64, 1);
  const bool increasing = random.once_in(3);
  const int64_t most = random.once_in(3) ? random.upto(height - 1) : height - 1;  // or rows of some part alone
  for (int64_t i = 0; i < count; ++i) index[size_t(i)] = increasing ? i % height : random.upto(most);
  const int64_t bad = count && random.once_in(5) ? random.upto(count - 1) : -1;
  if (bad >= 0) index[size_t(bad)] = random.once_in(2) ? -1 - random.upto(1 << 20) : height + random.upto(1 << 20);
  int32_t* const room = reinterpret_cast<int32_t*>(memory.data());
  const int64_t known = random.once_in(3) ? std::max(int64_t(0), adamas_touch(count, index.data(), height, 1, 0, room)) : 0;
  if (known && random.once_in(2)) std::swap(index[size_t(random.upto(count - 1))], index[size_t(random.upto(count - 1))]);
  const int64_t distinct = adamas_touch(count, index.data(), height, int32_t(random.from(-1, 6)), known, room);
  CHECK(memory.intact());
  CHECK(bad < 0 ? distinct >= 0 && distinct <= count : distinct == -1 - bad);
  if (distinct < 0) return uint64_t(distinct);
  const int64_t sums = room[4 * count];
  const int32_t *const source = room + count, *const order = source + count, *const ends = order + count;
  CHECK(sums <= count - distinct && (sums > 0) == (distinct < count));
  CHECK(distinct - sums + (sums ? ends[2 * sums - 1] : 0) == count);
  for (int64_t k = 0, next = 0; k < distinct; ++k) {
    CHECK(k == 0 || room[k - 1] < room[k]);
    if (source[k] < count) {
      CHECK(index[size_t(source[k])] == room[k]);
      continue;
    }
    CHECK(source[k] - count == next++ && ends[2 * next - 1] - ends[2 * next - 2] > 1);
    for (int64_t i = ends[2 * next - 2]; i < ends[2 * next - 1]; ++i) CHECK(index[size_t(order[i])] == room[k]);
  }
  const int32_t dtype = int32_t(random.upto(ADAMAS_FLOAT16)), compute = int32_t(random.upto(1));
  Memory values(count * width * width_of(dtype), dtype, random.upto(7)), out(sums * width * width_of(compute), compute, 1);
  values.fill(random, true);
  adamas_merge(count, room, values.data(), dtype, compute, width, int32_t(random.from(-1, 3)), out.data());
  return hash_of(out);
}

static uint64_t advancing(Random& random) {
  std::vector<int32_t> last;
  Table table(random, random.once_in(2), last.data());
  const int64_t steps = table.c.now - table.c.start, reach = table.c.reach;
  for (auto* each : {&table.kept, &table.rate, &table.unbias, &table.power1, &table.power2}) each->push_back(0.0);
  Memory powers(reach * ADAMAS_SUMS * 8, ADAMAS_FLOAT64, 1), sums((steps + 1) * ADAMAS_SUMS * 8, ADAMAS_FLOAT64, 1);
  for (Memory* each : {&powers, &sums}) each->fill(random, false);
  table.c.sums = reinterpret_cast<double*>(sums.data());
  table.c.powers = reinterpret_cast<double*>(powers.data());
  double next[5];
  for (double& each : next) each = random.share();
  table.c.next = next;
  table.aim();
  adamas_advance(&table.c);
  CHECK(powers.intact() && sums.intact());
  return hash_of(sums);
}

static uint64_t counting(Random& random) {
  const int64_t n = random.upto(20);
  std::vector<float> counters(size_t(n), float(random.upto(1000)));
  std::vector<float*> counter;
  for (float& each : counters) counter.push_back(&each);
  Memory out(n * 8, ADAMAS_FLOAT64, 1);
  double* numbers = reinterpret_cast<double*>(out.data());
  adamas_count(n, counter.data(), numbers);
  adamas_write(n, counter.data(), numbers);
  adamas_read(n, counter.data(), numbers);
  for (int64_t i = 0; i < n; ++i) CHECK(numbers[i] == double(counters[size_t(i)]));
  return hash_of(out);
}

// Numbers out of range are refused before anything is read or written.
static uint64_t nonsense(Random& random) {
  AdamasLaunch c = {};
  c.scalars_per_row = 12;
  switch (random.upto(5)) {
    case 0: c.rule = random.once_in(2) ? -1 - int32_t(random.upto(99)) : int32_t(rules::all.size()) + int32_t(random.upto(99)); break;
    case 1: c.compute = int32_t(random.from(2, 99)); break;
    case 2: c.dtype[random.upto(5)] = random.once_in(2) ? -1 : int32_t(random.from(9, 99)); break;
    case 3: c.tensors = -1 - random.upto(99); break;
    case 4: c.scalars_per_row = int32_t(random.from(-5, 2)); break;
    default: c.dtype[random.upto(1)] = int32_t(random.from(4, 8));
  }
  AdamasRows r = {};
  r.launch = random.once_in(2) ? &c : nullptr;
  CHECK(adamas_step(&c) == -1 && adamas_statistics(&c, nullptr, 1, nullptr, nullptr) == -1);
  CHECK(adamas_step_rows(&r) == -1 && adamas_catch_up(&r) == -1);
  CHECK(adamas_ratios(&c, int32_t(random.from(3, 9)), nullptr, nullptr, nullptr) == -1);
  CHECK(adamas_squares(int32_t(random.from(4, 99)), 1, 0, nullptr, nullptr, nullptr, nullptr, nullptr) == -1);
  CHECK(adamas_use_isa("none") == -1);
  return 0;
}

static uint64_t call(Random& random) {
  switch (random.upto(15)) {
    case 0: return statistics(random);
    case 1: return ratios(random);
    case 2: return squares(random);
    case 3:
    case 4:
    case 5: return rows(random);
    case 6: return merging(random);
    case 7: return random.once_in(3) ? advancing(random) : random.once_in(2) ? counting(random) : nonsense(random);
    default: return step(random);
  }
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: calls SEED CALLS [FIRST]\n");
    return 2;
  }
  for (const char* isa : {"avx512", "avx2", "baseline", "neon"}) {
    if (adamas_use_isa(isa) == 0) isas.push_back(isa);
  }
  seed_of_all = strtoull(argv[1], nullptr, 10);
  const unsigned long long first = argc > 3 ? strtoull(argv[3], nullptr, 10) : 0, pairs = strtoull(argv[2], nullptr, 10) / 2;
  uint64_t hash = 0;
  for (number_of_call = first; number_of_call < first + pairs; ++number_of_call) {
    Random random = {seed_of_all << 40 ^ number_of_call};
    hash = (hash ^ call(random)) * 0x100000001b3u;
  }
  printf("%llu calls on", 2 * pairs);
  for (const char* isa : isas) printf(" %s", isa);
  printf(": %016llx\n", static_cast<unsigned long long>(hash));
  return 0;
}
