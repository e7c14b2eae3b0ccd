// Rows whose memory is asked for before they are stepped: they are at random places, where the hardware's prefetchers see
// no pattern. Of any dtypes; sparse_registers.h has its own way, as its steps take less time than asking does here.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

// How many rows ahead to ask.
constexpr int64_t kRowsAhead = 12;
constexpr uintptr_t kLineBytes = 64;

struct Ahead {
  // Something that each row has some bytes of.
  struct Part {
    const char* base;
    int64_t bytes;

    void ask(int64_t row) const {
      const uintptr_t begin = uintptr_t(base + row * bytes), end = begin + uintptr_t(bytes);
      for (uintptr_t at = begin & ~(kLineBytes - 1); at < end; at += kLineBytes) {
        __builtin_prefetch(reinterpret_cast<const void*>(at), 0, 3);
      }
    }
  };

  const AdamasRows& rows;
  Part part[ADAMAS_MAX_OPERANDS + ADAMAS_MAX_SLOTS], gradient;  // there is none where rows are only caught up
  int parts = 0;

  explicit Ahead(const AdamasRows& r)
      : rows(r), gradient{static_cast<const char*>(r.values), r.values ? r.length * width_of(r.dtype) : 0} {
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
  }

  // Before row k of rows up to `end` is worked on.
  __attribute__((noinline)) void ask(int64_t k, int64_t end) const {
    __asm__ volatile("");  // or GCC finds that it does nothing, and drops the call
    k += kRowsAhead;
    if (k >= end || !rows.row) return;
    const int64_t row = rows.row[k];
    if (rows.lag) __builtin_prefetch(rows.lag->last + row, 1, 3);
    for (int p = 0; p < parts; ++p) part[p].ask(row);
    if (gradient.bytes && rows.source[k] < rows.entries) gradient.ask(rows.source[k]);  // sums are few, and in cache
  }
};
