// Memory that tells when something else was touched, and the random numbers that fill it.
#ifndef ADAMAS_FUZZ_MEMORY_H
#define ADAMAS_FUZZ_MEMORY_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

#include "adamas.h"

// splitmix64 (Steele, Lea & Flood 2014).
struct Random {
  uint64_t state;

  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int64_t upto(int64_t most) { return int64_t(next() % uint64_t(most + 1)); }  // 0 .. most
  int64_t from(int64_t least, int64_t most) { return least + upto(most - least); }
  bool once_in(int64_t n) { return upto(n - 1) == 0; }
  double share() { return double(next() >> 11) * 0x1p-53; }
  double normal() { return 2 * (share() + share() - 1); }  // near enough, and quick
};

inline int64_t width_of(int32_t dtype) {
  switch (dtype) {
    case ADAMAS_FLOAT64: return 8;
    case ADAMAS_FLOAT32: return 4;
    case ADAMAS_BFLOAT16:
    case ADAMAS_FLOAT16:
    case ADAMAS_INT16: return 2;
    default: return 1;
  }
}

// As many bytes as were asked for, at any address that suits the dtype. Before them are bytes that must stay as they
// are; behind them the heap block ends, which AddressSanitizer guards, or there are more such bytes.
class Memory {
 public:
  Memory(int64_t bytes, int32_t dtype, int64_t shift)
      : dtype(dtype), bytes(bytes), front_(kGuard + shift * width_of(dtype)) {
    block_ = static_cast<char*>(malloc(size_t(front_ + bytes + kBack)));
    memset(block_, kMark, size_t(front_ + bytes + kBack));
  }
  Memory(const Memory&) = delete;
  ~Memory() { free(block_); }

  char* data() const { return block_ + front_; }
  void keep() {
    before_.reserve(1);  // not null, even of nothing
    before_.assign(data(), data() + bytes);
  }
  void restore() { memcpy(data(), before_.data(), size_t(bytes)); }
  bool unchanged() const { return memcmp(data(), before_.data(), size_t(bytes)) == 0; }
  bool unchanged_at(int64_t byte, int64_t n) const { return memcmp(data() + byte, before_.data() + byte, size_t(n)) == 0; }

  bool intact() const {
    for (int64_t i = 0; i < front_; ++i) {
      if (block_[i] != kMark) return false;
    }
    for (int64_t i = 0; i < kBack; ++i) {
      if (data()[bytes + i] != kMark) return false;
    }
    return true;
  }

  // A hash in which all NaN are alike: which of two NaN an operation passes on is the compiler's choice.
  uint64_t digest(uint64_t hash) const {
    const int64_t width = width_of(dtype);
    for (int64_t at = 0; at + width <= bytes; at += width) {
      uint64_t bits = 0;
      memcpy(&bits, data() + at, size_t(width));
      if (not_a_number(bits)) bits = 0x7ff8dead;
      hash = (hash ^ bits) * 0x100000001b3u;
      hash ^= hash >> 29;
    }
    return hash;
  }

  void fill(Random& random, bool is_signed) {
    const int64_t width = width_of(dtype), style = random.upto(5);
    const double scale = ldexp(1.0, int(random.from(-30, 10)));
    for (int64_t at = 0; at + width <= bytes; at += width) {
      uint64_t bits = style == 0 ? 0 : random.next();
      if (style > 1 && dtype <= ADAMAS_FLOAT16) bits = as_bits(scale * random.normal());
      if (style == 2 && random.once_in(30)) bits = special(random);
      if (!is_signed && dtype <= ADAMAS_FLOAT16) bits &= ~(uint64_t(1) << (8 * width - 1));
      memcpy(data() + at, &bits, size_t(width));
    }
  }

  const int32_t dtype;
  const int64_t bytes;

 private:
  static constexpr char kMark = char(0xa5);
  static constexpr int64_t kGuard = 64;
#if defined(__SANITIZE_ADDRESS__)
  static constexpr int64_t kBack = 0;
#else
  static constexpr int64_t kBack = 64;
#endif

  bool not_a_number(uint64_t bits) const {
    switch (dtype) {
      case ADAMAS_FLOAT64: return (bits & 0x7fffffffffffffffu) > 0x7ff0000000000000u;
      case ADAMAS_FLOAT32: return (bits & 0x7fffffffu) > 0x7f800000u;
      case ADAMAS_BFLOAT16: return (bits & 0x7fffu) > 0x7f80u;
      case ADAMAS_FLOAT16: return (bits & 0x7fffu) > 0x7c00u;
      default: return false;
    }
  }

  uint64_t as_bits(double x) const {
    uint64_t bits = 0;
    if (dtype == ADAMAS_FLOAT64) {
      memcpy(&bits, &x, 8);
      return bits;
    }
    const float y = float(x);
    memcpy(&bits, &y, 4);
    if (dtype == ADAMAS_BFLOAT16) return bits >> 16;
    if (dtype == ADAMAS_FLOAT32) return bits;
    // Near enough: mantissas of float16 are cut off, exponents moved into its range.
    return (bits >> 16 & 0x8000u) | ((bits >> 13 & 0x3ffu) | ((bits >> 23) % 31) << 10);
  }

  uint64_t special(Random& random) const {
    const double values[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e-310, 1e-40, 3.4e38, 1.7e308, 0x1p-126};
    return as_bits(values[random.upto(9)]);
  }

  const int64_t front_;
  char* block_;
  std::vector<char> before_;
};

#endif
