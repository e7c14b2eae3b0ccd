// Launches with slots in blocks: a tensor is walked row by row, 128 elements or what a row has left at a time.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

static inline bool packed(int32_t dtype) { return dtype == ADAMAS_INT4 || dtype == ADAMAS_UINT4; }
static inline bool in_blocks(int32_t dtype) { return dtype >= ADAMAS_INT8 && dtype != ADAMAS_INT16; }

// A slot in blocks, at one unit of one row.
struct Blocks {
  char* codes;
  char* scale;
  int32_t dtype;

  ADAMAS_INLINE int64_t code_bytes(int64_t n) const { return packed(dtype) ? packed_bytes(n) : n; }
  ADAMAS_INLINE int64_t scale_bytes(int64_t n) const {
    switch (dtype) {
      case ADAMAS_INT4: return (n + kSignedBlock - 1) / kSignedBlock * 2;
      case ADAMAS_UINT4: return (n + kUnsignedBlock - 1) / kUnsignedBlock * 4;
      default: return (n + kUnit - 1) / kUnit * 4;
    }
  }

  ADAMAS_APART void read_whole(float* values) const {
    const float* scales = reinterpret_cast<const float*>(scale);
    switch (dtype) {
      case ADAMAS_INT8: decode_unit(reinterpret_cast<const int8_t*>(codes), scales[0], values); break;
      case ADAMAS_UINT8: decode_unit(reinterpret_cast<const uint8_t*>(codes), scales[0], values); break;
      case ADAMAS_INT4:
        decode4(reinterpret_cast<const uint8_t*>(codes), reinterpret_cast<const uint16_t*>(scale), values);
        break;
      default: decode4(reinterpret_cast<const uint8_t*>(codes), scales, values);
    }
  }

  ADAMAS_APART void write_whole(const float* values, int64_t n, Key key) const {
    uint8_t* bytes = reinterpret_cast<uint8_t*>(codes);
    float* scales = reinterpret_cast<float*>(scale);
    float top[kUnit / kSignedBlock];
    switch (dtype) {
      case ADAMAS_INT8: scales[0] = write_unit(values, key, reinterpret_cast<int8_t*>(codes)); break;
      case ADAMAS_UINT8: scales[0] = write_unit(values, key, bytes); break;
      case ADAMAS_INT4:
        tops4<true>(values, top);
        encode4(values, n, top, bytes, reinterpret_cast<uint16_t*>(scale));
        break;
      default:
        tops4<false>(values, top);
        encode4(values, n, top, bytes, scales);
    }
  }

  // n < 128 elements: by way of a place of its own, so that nothing behind the row is touched.
  struct Own {
    alignas(64) char codes[kUnit] = {};
    alignas(64) char scale[32] = {};
  };

  ADAMAS_APART void read(int64_t n, float* values) const {
    if (n == kUnit) return read_whole(values);
    Own own;
    __builtin_memcpy(own.codes, codes, size_t(code_bytes(n)));
    __builtin_memcpy(own.scale, scale, size_t(scale_bytes(n)));
    Blocks{own.codes, own.scale, dtype}.read_whole(values);
  }

  // values has 128 elements, zeros behind n.
  ADAMAS_APART void write(int64_t n, const float* values, Key key) const {
    if (n == kUnit) return write_whole(values, n, key);
    Own own;
    Blocks{own.codes, own.scale, dtype}.write_whole(values, n, key);
    __builtin_memcpy(codes, own.codes, size_t(code_bytes(n)));
    __builtin_memcpy(scale, own.scale, size_t(scale_bytes(n)));
  }
};

static ADAMAS_INLINE Blocks blocks_of(const AdamasLaunch& launch, int64_t tensor, int slot, int64_t row, int64_t column) {
  const int64_t length = launch.row_length[tensor];
  Blocks all = {nullptr, nullptr, launch.dtype[2 + slot]};
  all.codes = static_cast<char*>(launch.operand[2 + slot][tensor]) + row * all.code_bytes(length) + all.code_bytes(column);
  all.scale = static_cast<char*>(launch.scale[slot][tensor]) + row * all.scale_bytes(length) + all.scale_bytes(column);
  return all;
}

// Units begin at multiples of 128 of a row: the last such beginning at or before an element.
static inline int64_t unit_of(int64_t at, int64_t length) {
  const int64_t column = at % length;
  return at - column + column / kUnit * kUnit;
}

// Elements start .. start + n of a slot in blocks, which need not begin where a block does.
template <class T>
static ADAMAS_APART void read_blocks(const AdamasLaunch& launch, int64_t tensor, int slot, int64_t start, int64_t n,
                                     T* to) {
  const int64_t length = launch.row_length[tensor];
  alignas(64) float values[kUnit];
  while (n > 0) {
    const int64_t row = start / length, column = start % length, first = column / kUnit * kUnit;
    const int64_t whole = length - first < kUnit ? length - first : kUnit, skip = column - first;
    const int64_t count = whole - skip < n ? whole - skip : n;
    blocks_of(launch, tensor, slot, row, first).read(whole, values);
    for (int64_t i = 0; i < count; ++i) to[i] = T(values[skip + i]);
    to += count;
    start += count;
    n -= count;
  }
}

template <class T>
static inline void zeros_behind(T* values, int64_t n) {
  for (int64_t i = n; i < kUnit; ++i) values[i] = T(0);
}

#include "units.h"

// What do_rows does with elements: it steps them. LookedRows (looked.h) looks at them, too.
template <class Rule, class T>
struct SteppedRows {
  const Around<T>& a;
  typename Rule::template Scalars<T> c;
  Strips<Rule> strips;

  explicit SteppedRows(const Numbers<Rule, T>& row) : a(row.a), strips() {
    static_assert(sizeof(c) == sizeof(row.own));
    __builtin_memcpy(&c, row.own, sizeof(c));
    if constexpr (sizeof(T) == 4) strips = strips_of<Rule>(row.a, row.own);
  }

  // What steps units in registers that begin at element `at`, or null if it must see them in stages.
  Strips<Rule>* registers(int64_t /*at*/) { return &strips; }

  // Step n elements of which x has weights, gradients and slots.
  void stages(int64_t /*at*/, int64_t n, T* const* x) const {
    if (a.l2 != T(0)) {
      sweep_slots<Rule, true, T>(n, a, c, x[0], x[1], x + 2);
    } else {
      sweep_slots<Rule, false, T>(n, a, c, x[0], x[1], x + 2);
    }
  }
};

// The block start .. end of a tensor, both moved down to where a unit begins.
template <class Rule, class T, class Steps>
static void do_rows(const AdamasLaunch& launch, int64_t tensor, int64_t start, int64_t end, const Place* place,
                    const Weight& weight, Steps& steps, Randomness& random) {
  const int64_t length = launch.row_length[tensor];
  start = unit_of(start, length);
  if (end < launch.numel[tensor]) end = unit_of(end, length);
  int64_t row = start / length, column = start % length;
  const int bits = sizeof(T) == 4 ? in_registers<Rule>(place, weight, random) : 0;
  alignas(64) T stage[2 + Rule::kSlots][kUnit];
  alignas(64) float values[kUnit];
  for (int64_t at = start, n; at < end; at += n) {
    n = length - column < kUnit ? length - column : kUnit;
    if constexpr (sizeof(T) == 4) {
      auto* registers = bits ? steps.registers(at) : nullptr;
      const bool rolls = random.stochastic && !weight.split && place[0].dtype == ADAMAS_BFLOAT16;
      const int64_t units = registers ? units_from(random.origin + at, column, end - at, length, rolls) : 0;
      if (units > 0) {
        Blocks blocks[ADAMAS_MAX_SLOTS];
        for (int k = 0; k < Rule::kSlots; ++k) blocks[k] = blocks_of(launch, tensor, k, row, column);
        if (bits == 8) do_units<UnitSlots<Rule, ByteSlot>>(at, units, *registers, place, blocks, weight, random);
        if (bits == 4) do_units<UnitSlots<Rule, HalfByteSlot>>(at, units, *registers, place, blocks, weight, random);
        n = units * kUnit;
        row += (column + n) / length;
        column = (column + n) % length;
        continue;
      }
    }
    random.prepare(at, n);
    T* x[3 + Rule::kSlots];
    x[0] = weight.fetch(at, n, stage[0]);
    x[1] = fetch_as<T>(place[1], at, n, stage[1]);
    for (int k = 0; k < Rule::kSlots; ++k) {
      if (!in_blocks(place[2 + k].dtype)) {
        x[2 + k] = fetch_as<T>(place[2 + k], at, n, stage[2 + k]);
        continue;
      }
      x[2 + k] = stage[2 + k];
      const Blocks blocks = blocks_of(launch, tensor, k, row, column);
      if constexpr (sizeof(T) == 4) {
        blocks.read(n, stage[2 + k]);
      } else {
        blocks.read(n, values);
        widen(values, ADAMAS_FLOAT32, kUnit, stage[2 + k]);
      }
    }
    steps.stages(at, n, x);
    weight.put(at, n, x[0], random.dice(0, at));
    for (int k = 0; k < Rule::kSlots; ++k) {
      if (!in_blocks(place[2 + k].dtype)) {
        put_as<T>(place[2 + k], at, n, x[2 + k], random.dice(2 + k, at));
        continue;
      }
      zeros_behind(stage[2 + k], n);
      const Blocks blocks = blocks_of(launch, tensor, k, row, column);
      const Key key = random.key(2 + k);
      if constexpr (sizeof(T) == 4) {
        blocks.write(n, stage[2 + k], key);
      } else {
        for (int64_t i = 0; i < kUnit; ++i) values[i] = float(stage[2 + k][i]);
        blocks.write(n, values, key);
      }
    }
    column += n;
    if (column == length) {
      column = 0;
      ++row;
    }
  }
}
