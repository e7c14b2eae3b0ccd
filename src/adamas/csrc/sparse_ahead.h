// Rows whose memory is asked for before they are worked on: they are at random places, where the hardware's prefetchers see
// no pattern. Of any dtypes; sparse_registers.h has its own way, as its steps take less time than asking does here.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.
//
// Asked for line by line, memory comes while other rows are worked on, into L1. On some processors that work then stands in
// its way, and what goes through L1 twice costs more than it saves: on a Zen 4 a step takes 0.6 of the time if some rows'
// memory is asked for together, into L2. library.cpp finds out which is better.

// How many rows ahead to ask, line by line; and of those that were asked for together, into L1, where the step would wait
// for L2.
constexpr int64_t kRowsAhead = 12, kRowsNear = 3;
// How many lines to ask for together: with those before them they fit into a cache of 32 KiB.
constexpr int64_t kLinesTogether = 256;
constexpr uintptr_t kLineBytes = 64;

// How many rows these are, at so many lines each.
static inline int64_t rows_together(int64_t lines) { return lines < kLinesTogether ? kLinesTogether / lines : 1; }

template <bool kTogether>
static ADAMAS_INLINE void ask_for_line(const void* at) {
  __builtin_prefetch(at, 0, kTogether ? 2 : 3);
}

struct Ahead {
  // Something that each row has some bytes of.
  struct Part {
    const char* base;
    int64_t bytes;

    template <bool kTogether>
    ADAMAS_INLINE void ask(int64_t row) const {
      const uintptr_t begin = uintptr_t(base + row * bytes), end = begin + uintptr_t(bytes);
      for (uintptr_t at = begin & ~(kLineBytes - 1); at < end; at += kLineBytes) {
        ask_for_line<kTogether>(reinterpret_cast<const void*>(at));
      }
    }
  };

  const AdamasRows& rows;
  const int64_t first, end;  // the rows that there are to ask for
  int64_t at_once;           // how many are asked for together; 0: none
  Part part[ADAMAS_MAX_OPERANDS + ADAMAS_MAX_SLOTS], gradient;  // there is none where rows are only caught up
  int parts = 0;

  Ahead(const AdamasRows& r, const Stretch& some)
      : rows(r), first(some.first), end(some.last), at_once(0),
        gradient{static_cast<const char*>(r.values), r.values ? r.length * width_of(r.dtype) : 0} {
    for (int k = 0; k < ADAMAS_MAX_OPERANDS; ++k) {
      if (k == 1 || !r.launch->operand[k]) continue;
      const char* const base = static_cast<const char*>(r.launch->operand[k][0]);
      const int32_t dtype = r.launch->dtype[k];
      if (k == ADAMAS_LOW || !in_blocks(dtype)) {
        part[parts++] = {base, r.length * width_of(dtype)};
        continue;
      }
      const Blocks blocks = {nullptr, nullptr, dtype};
      part[parts++] = {base, blocks.code_bytes(r.length)};
      part[parts++] = {static_cast<const char*>(r.launch->scale[k - 2][0]), blocks.scale_bytes(r.length)};
    }
    if (!r.together) return;
    int64_t lines = 1 + gradient.bytes / int64_t(kLineBytes);
    for (int p = 0; p < parts; ++p) lines += 1 + part[p].bytes / int64_t(kLineBytes);
    at_once = rows_together(lines);
  }

  // Before row k is worked on.
  __attribute__((noinline)) void ask(int64_t k) const {
    __asm__ volatile("");  // or GCC finds that it does nothing, and drops the call; what is inlined below it would drop, too
    if (!rows.row) return;
    if (!at_once) return ask_for<false>(k + kRowsAhead);
    if ((k - first) % at_once) return;
    for (int64_t j = k == first ? k : k + at_once; j < k + 2 * at_once; ++j) ask_for<true>(j);
  }

 private:
  template <bool kTogether>
  ADAMAS_INLINE void ask_for(int64_t k) const {
    if (k >= end) return;
    const int64_t row = rows.row[k];
    if (rows.lag) __builtin_prefetch(rows.lag->last + row, 1, 3);
    for (int p = 0; p < parts; ++p) part[p].template ask<kTogether>(row);
    // Sums are few, and in cache.
    if (gradient.bytes && rows.source[k] < rows.entries) gradient.template ask<kTogether>(rows.source[k]);
  }
};
