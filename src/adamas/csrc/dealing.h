// Deals rows out to threads, so that none waits long for another: one may be slower, as when its core has other work.
// Included once, inside library.cpp's own namespace.

// Each thread goes through a share of its own from the front, a quarter of what is left at a time, and then takes from the
// back of what others have left. No result depends on who takes which rows.
class Deal {
 public:
  static constexpr int kMostShares = 64;
  // A thread takes at least so many elements: others wait at the end for no longer than these take.
  static constexpr int64_t kLeastElements = 2048;

  Deal(int64_t count, int64_t length, int threads)
      : count_(count), least_(length < kLeastElements ? kLeastElements / (length + 1) + 1 : 1),
        shares_(threads < kMostShares ? threads : kMostShares) {
    for (int share = 0; share < shares_; ++share) {
      left_[share].store(packed(begin_of(share), begin_of(share + 1)), std::memory_order_relaxed);
    }
  }

  // What thread `me` is to do next; nothing if all rows are taken.
  Stretch next(int me) {
    if (me < shares_) {
      const Stretch own = take(me, 4, true);
      if (own.begin < own.end) return {own.begin, own.end, begin_of(me), begin_of(me + 1)};
    }
    for (int other = longest(); other >= 0; other = longest()) {
      const Stretch found = take(other, 2, false);
      if (found.begin < found.end) return found;
    }
    return {0, 0, 0, 0};
  }

 private:
  static uint64_t packed(int64_t begin, int64_t end) { return uint64_t(begin) << 32 | uint64_t(end); }
  static int64_t begin_in(uint64_t left) { return int64_t(left >> 32); }
  static int64_t end_in(uint64_t left) { return int64_t(left & 0xffffffffu); }

  int64_t begin_of(int share) const { return count_ * share / shares_; }

  // Take one of so many parts of what is left of a share, of its front or back.
  Stretch take(int share, int64_t parts, bool front) {
    uint64_t seen = left_[share].load(std::memory_order_relaxed);
    for (;;) {
      const int64_t begin = begin_in(seen), end = end_in(seen), left = end - begin;
      const int64_t part = left / parts < least_ ? least_ : left / parts, n = part < left ? part : left;
      const uint64_t rest = front ? packed(begin + n, end) : packed(begin, end - n);
      if (!left_[share].compare_exchange_weak(seen, rest, std::memory_order_relaxed)) continue;
      const int64_t first = front ? begin : end - n;
      return {first, first + n, first, first + n};
    }
  }

  // The share of which most is left, or -1 if nothing is left of any.
  int longest() const {
    int64_t most = 0;
    int found = -1;
    for (int share = 0; share < shares_; ++share) {
      const uint64_t seen = left_[share].load(std::memory_order_relaxed);
      const int64_t left = end_in(seen) - begin_in(seen);
      if (left <= most) continue;
      most = left;
      found = share;
    }
    return found;
  }

  int64_t count_, least_;
  int shares_;
  std::atomic<uint64_t> left_[kMostShares];  // where what is left of each share begins and ends
};
