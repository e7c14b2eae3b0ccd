// Sorts the numbers of rows, by several threads.
// Included once, inside a namespace of touch.cpp's own.

// The digits that numbers of rows are sorted by, the lowest first.
struct Digits {
  static constexpr int64_t kMost = 4096;  // values of a digit: as many counters stay in L1

  int bits, passes;

  Digits(int64_t count, int64_t height) : bits(1) {
    while (bits < 31 && (height - 1) >> bits) ++bits;
    const int most = count < 1024 ? 8 : 12;  // few rows are not worth clearing so many
    passes = (bits + most - 1) / most;
    bits = (bits + passes - 1) / passes;
  }

  int64_t values() const { return int64_t(1) << bits; }
  // How far to the right the highest digit is.
  int highest() const { return (passes - 1) * bits; }
  uint64_t digit(uint64_t row, int shift) const { return row >> shift & uint64_t(values() - 1); }
};

// Where each of some values begins, if there are so many of each; at one may be the other.
void add_up(int64_t values, const uint32_t* many, uint32_t* at) {
  uint32_t sum = 0;
  for (int64_t k = 0; k < values; ++k) {
    const uint32_t here = many[k];
    at[k] = sum;
    sum += here;
  }
}

// The first of n things, one behind the other, that begins at this entry or behind; n if none does.
template <class Begin>
int64_t first_from(int64_t entry, int64_t n, Begin begin) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (begin(middle) < entry) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Sorts entries in parts, by a thread each: a part has the rows whose highest digit is in some range. Those that step the
// rows then find them in their own caches.
class Sort {
 public:
  static constexpr int kMostParts = 4;  // each goes through all entries to find its own
  static constexpr int64_t kWorthParts = 2048;  // entries, below which threads take longer to meet than to sort

  // room: as for adamas_touch.
  Sort(int64_t count, const int64_t* index, int64_t height, int threads, int32_t* room)
      : count_(count), index_(index), height_(uint64_t(height)), digits_(count, height), parts_(1), row_(room),
        source_(row_ + count), order_(source_ + count), ends_(order_ + count),
        room_(reinterpret_cast<uint64_t*>(ends_ + count + 2)) {
    if (threads > 1 && count >= kWorthParts) parts_ = threads < kMostParts ? threads : kMostParts;
  }

  int parts() const { return parts_; }

  // First of all, every part: count the highest digits of a share of the entries.
  void count_digits(int part) {
    const Digits digits = digits_;  // what is written could be a member, as the compiler sees it
    const int64_t *const index = index_, end = begin_of(part + 1);
    uint32_t* const many = many_[part];
    memset(many, 0, size_t(digits.values()) * sizeof(uint32_t));
    uint64_t top = 0;
    for (int64_t i = begin_of(part); i < end; ++i) {
      const uint64_t row = uint64_t(index[i]);
      top = row > top ? row : top;
      ++many[digits.digit(row, digits.highest())];
    }
    top_[part] = top;
  }

  // Whether all rows are in range, when all digits are counted.
  bool in_range() const {
    bool all = true;
    for (int part = 0; part < parts_; ++part) all = all && top_[part] < height_;
    return all;
  }

  // Then, every part: put its entries in order.
  void sort(int part) {
    uint32_t at[Digits::kMost], own[Digits::kMost];
    memcpy(at, many_[0], size_t(digits_.values()) * sizeof(uint32_t));
    for (int p = 1; p < parts_; ++p) {
      for (int64_t k = 0, end = digits_.values(); k < end; ++k) at[k] += many_[p][k];
    }
    add_up(digits_.values(), at, at);
    const int64_t low = first_digit(at, part), high = first_digit(at, part + 1);
    Part& mine = part_[part];
    mine = {begins(at, low), begins(at, high), 0, 0, 0, nullptr};
    uint64_t *from = room_ + mine.begin, *to = from + count_;
    const int64_t n = mine.end - mine.begin;
    take(index_, uint64_t(low) << digits_.highest(), uint64_t(high) << digits_.highest(), n, from);
    for (int pass = 0; pass < digits_.passes; ++pass) {
      const int shift = pass * digits_.bits;
      const bool last = pass + 1 == digits_.passes;
      if (!last) count_own(digits_, n, from, shift, own);
      scatter(digits_, n, from, to - (last ? mine.begin : 0), shift, last ? at : own);
      uint64_t* const swapped = from;
      from = to;
      to = swapped;
    }
    mine.sorted = from;
    look_for_sums(mine);
  }

  // At last, every part: write what was found behind what the parts before it have. Returns how many rows there are so far.
  int64_t write(int part) {
    int64_t rows = 0, sums = 0, several = 0;
    for (int p = 0; p < part; ++p) {
      rows += part_[p].rows;
      sums += part_[p].sums;
      several += part_[p].several;
    }
    const Part& mine = part_[part];
    if (mine.sums) {
      write_sums(mine.sorted, mine.end - mine.begin, rows, sums, several);
    } else {
      write_alone(mine.sorted, mine.end - mine.begin, row_ + rows, source_ + rows);
    }
    if (part + 1 == parts_) ends_[count_] = int32_t(sums + mine.sums);
    return rows + mine.rows;
  }

 private:
  // Entries begin .. end in order, and what is among them: different rows, those with several entries, and these entries.
  struct Part {
    int64_t begin, end, rows, sums, several;
    const uint64_t* sorted;
  };

  // An entry: the number of its row, and its place below.
  static int32_t row_in(uint64_t entry) { return int32_t(entry >> 32); }
  static int32_t place_in(uint64_t entry) { return int32_t(entry & 0xffffffffu); }

  int64_t begin_of(int part) const { return count_ * part / parts_; }

  // The first of the highest digits that a part has; at: where each begins.
  int64_t first_digit(const uint32_t* at, int part) const {
    return first_from(begin_of(part), digits_.values(), [=](int64_t digit) { return int64_t(at[digit]); });
  }

  int64_t begins(const uint32_t* at, int64_t digit) const { return digit < digits_.values() ? at[digit] : count_; }

  // The n entries whose rows are low .. high - 1. (A place is written to until the entry for it has come.)
  static void take(const int64_t* index, uint64_t low, uint64_t high, int64_t n, uint64_t* to) {
    for (int64_t i = 0, k = 0; k < n; ++i) {
      const uint64_t row = uint64_t(index[i]);
      to[k] = row << 32 | uint64_t(i);
      k += row - low < high - low;
    }
  }

  // Where the entries of each digit begin.
  static void count_own(const Digits digits, int64_t n, const uint64_t* from, int shift, uint32_t* at) {
    memset(at, 0, size_t(digits.values()) * sizeof(uint32_t));
    for (int64_t i = 0; i < n; ++i) ++at[digits.digit(from[i], 32 + shift)];
    add_up(digits.values(), at, at);
  }

  // Put entries where those of their digit begin, equal ones in the order they have.
  static void scatter(const Digits digits, int64_t n, const uint64_t* from, uint64_t* to, int shift, uint32_t* at) {
    for (int64_t i = 0; i < n; ++i) to[at[digits.digit(from[i], 32 + shift)]++] = from[i];
  }

  // n entries of different rows.
  static void write_alone(const uint64_t* sorted, int64_t n, int32_t* row, int32_t* source) {
    for (int64_t i = 0; i < n; ++i) {
      row[i] = row_in(sorted[i]);
      source[i] = place_in(sorted[i]);
    }
  }

  // n entries; so many rows, sums and entries of them come before.
  void write_sums(const uint64_t* sorted, int64_t n, int64_t rows, int64_t sums, int64_t several) {
    for (int64_t i = 0; i < n; ++rows) {
      const int32_t row = row_in(sorted[i]), place = place_in(sorted[i]);
      row_[rows] = row;
      source_[rows] = place;
      if (++i == n || row_in(sorted[i]) != row) continue;
      source_[rows] = int32_t(count_ + sums);
      ends_[2 * sums] = int32_t(several);
      for (order_[several++] = place; i < n && row_in(sorted[i]) == row; ++i) order_[several++] = place_in(sorted[i]);
      ends_[2 * sums++ + 1] = int32_t(several);
    }
  }

  static void look_for_sums(Part& part) {
    const uint64_t* const sorted = part.sorted;
    const int64_t n = part.end - part.begin;
    int64_t rows = n ? 1 : 0, sums = 0;
    bool again = false;  // whether the last entry is of the row before it
    for (int64_t i = 1; i < n; ++i) {
      const bool like = row_in(sorted[i]) == row_in(sorted[i - 1]);
      rows += !like;
      sums += like & !again;
      again = like;
    }
    part.rows = rows;
    part.sums = sums;
    part.several = n - rows + sums;
  }

  int64_t count_;
  const int64_t* index_;
  uint64_t height_;
  Digits digits_;
  int parts_;
  int32_t *row_, *source_, *order_, *ends_;
  uint64_t* room_;
  uint64_t top_[kMostParts];
  Part part_[kMostParts];
  uint32_t many_[kMostParts][Digits::kMost];
};
