// Launches drawn at random: sizes, layouts, dtypes, roundings, rules, numbers, as engines/cpu.py could make them.
#ifndef ADAMAS_FUZZ_LAUNCHES_H
#define ADAMAS_FUZZ_LAUNCHES_H

#include <memory>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "memory.h"

namespace rules {
#include "numbers.h"
#include "vectors.h"
#include "vocabulary.h"

#include "rules.generated.h"

struct Shape {
  int slots, scalars, second;
  const bool* is_signed;
};

template <class... Rules>
std::vector<Shape> shapes() {
  return {Shape{Rules::kSlots, Rules::kScalars, Rules::kSecond, Rules::kSigned}...};
}
inline const std::vector<Shape> all = shapes<ADAMAS_RULES>();
}  // namespace rules

constexpr int kAdam = 8, kAmsgrad = 9;  // places in ADAMAS_RULES of the rules whose rows may lag

inline bool packed(int32_t dtype) { return dtype == ADAMAS_INT4 || dtype == ADAMAS_UINT4; }
inline bool in_blocks(int32_t dtype) { return dtype >= ADAMAS_INT8 && dtype != ADAMAS_INT16; }
inline int64_t blocks_of(int64_t length, int64_t size) { return (length + size - 1) / size; }

inline int64_t code_bytes(int32_t dtype, int64_t length) {
  const int64_t left = length % 32;
  return packed(dtype) ? length / 32 * 16 + ((left < 16 ? left : 16) + 3) / 4 * 4 : length;
}

inline int64_t scale_bytes(int32_t dtype, int64_t length) {
  if (dtype == ADAMAS_INT4) return blocks_of(length, 32) * 2;
  return blocks_of(length, dtype == ADAMAS_UINT4 ? 64 : 128) * 4;
}

// A launch with all that it points to.
struct Launch {
  AdamasLaunch c = {};
  rules::Shape rule;
  std::vector<int64_t> numel, first, length;
  std::vector<AdamasLayout> layouts;
  std::vector<const AdamasLayout*> layout;
  std::vector<int32_t> row;
  std::vector<double> scalars, step;
  std::vector<uint64_t> stream;
  std::vector<std::unique_ptr<Memory>> memories;
  std::vector<void*> operand[ADAMAS_MAX_OPERANDS], scale[ADAMAS_MAX_SLOTS];
  std::vector<std::pair<Memory*, std::vector<bool>>> gappy;  // memory of which only some elements are operands
  std::vector<const Memory*> gradients;
  int64_t rows = 1;

  int64_t blocks() const { return first.back(); }
  void keep() {
    for (auto& memory : memories) memory->keep();
  }
  void restore() {
    for (auto& memory : memories) memory->restore();
  }
  uint64_t digest(uint64_t hash) const {
    for (auto& memory : memories) hash = memory->digest(hash);
    return hash;
  }
  bool unchanged() const {
    for (auto& memory : memories) {
      if (!memory->unchanged()) return false;
    }
    return true;
  }
  // Nothing beside the operands was written, and no gradient.
  bool intact() const {
    for (auto& memory : memories) {
      if (!memory->intact()) return false;
    }
    for (const Memory* gradient : gradients) {
      if (!gradient->unchanged()) return false;
    }
    for (auto& [memory, used] : gappy) {
      const int64_t width = width_of(memory->dtype);
      for (size_t i = 0; i < used.size(); ++i) {
        if (!used[i] && !memory->unchanged_at(int64_t(i) * width, width)) return false;
      }
    }
    return true;
  }
};

class Drawing {
 public:
  Drawing(Random& random, Launch& launch) : random_(random), l_(launch) {}

  // One tensor of rows x length if rows is not negative; then lagging says which dtypes its slots may have.
  void draw(int32_t rule, int64_t rows = -1, int64_t length = 0, bool lagging = false) {
    l_.rule = rules::all[size_t(rule)];
    l_.c.rule = rule;
    draw_types(lagging);
    const int64_t tensors = rows >= 0 ? 1 : random_.once_in(2) ? 1 : random_.once_in(3) ? random_.from(8, 14) : random_.upto(4);
    l_.layouts.resize(size_t(tensors));
    l_.first = {0};
    for (int64_t i = 0; i < tensors; ++i) draw_tensor(i, rows, length);
    draw_numbers(tensors);
    finish(tensors);
  }

 private:
  void draw_types(bool lagging) {
    AdamasLaunch& c = l_.c;
    const bool twice = random_.once_in(5);
    c.compute = twice ? ADAMAS_FLOAT64 : ADAMAS_FLOAT32;
    const int32_t weights[] = {ADAMAS_FLOAT32, ADAMAS_BFLOAT16, ADAMAS_FLOAT16, ADAMAS_BFLOAT16};
    const int32_t weight = twice ? int32_t(ADAMAS_FLOAT64) : weights[random_.upto(3)];
    c.dtype[0] = c.dtype[1] = weight;
    c.rounding = int32_t(random_.upto(width_of(weight) == 2 ? 2 : 1));
    if (c.rounding == ADAMAS_SPLIT) c.dtype[ADAMAS_LOW] = random_.once_in(2) ? ADAMAS_INT8 : ADAMAS_INT16;
    bool blocks = false;
    for (int k = 0; k < l_.rule.slots; ++k) {
      const int32_t plain[] = {weight, ADAMAS_FLOAT32, ADAMAS_BFLOAT16, weight, ADAMAS_FLOAT16};
      c.dtype[2 + k] = plain[random_.upto(4)];
      if (lagging || !(k ? blocks || random_.once_in(6) : random_.once_in(3))) continue;
      const bool four = random_.once_in(2);
      c.dtype[2 + k] = l_.rule.is_signed[k] ? (four ? ADAMAS_INT4 : ADAMAS_INT8) : (four ? ADAMAS_UINT4 : ADAMAS_UINT8);
      blocks = true;
    }
    blocks_ = blocks;
  }

  int64_t draw_size() {
    if (random_.once_in(200)) return random_.from(32768, 45000);
    if (random_.once_in(15)) return random_.from(4000, 13000);
    return random_.once_in(2) ? random_.upto(40) : random_.upto(600);
  }

  void draw_tensor(int64_t i, int64_t rows, int64_t length) {
    std::vector<int64_t> size;
    if (rows >= 0) {
      l_.numel.push_back(rows * length);
      l_.length.push_back(length);
    } else if (random_.once_in(5)) {
      for (int64_t dims = random_.from(2, 4), d = 0; d < dims; ++d) size.push_back(random_.from(2, 9));
      int64_t all = 1;
      for (int64_t each : size) all *= each;
      l_.numel.push_back(all);
      l_.length.push_back(all / size[0]);
    } else {
      const int64_t any = draw_size();
      l_.length.push_back(random_.once_in(4) ? 128 * random_.from(1, 3) : any ? random_.from(1, any) : 1);
      l_.numel.push_back(blocks_ ? any / l_.length.back() * l_.length.back() : any);
    }
    l_.first.push_back(l_.first.back() + blocks_of(l_.numel.back(), ADAMAS_BLOCK));
    AdamasLayout* layout = size.empty() ? nullptr : &l_.layouts[size_t(i)];
    if (layout) {
      layout->dims = int32_t(size.size());
      for (size_t d = 0; d < size.size(); ++d) layout->size[d] = size[d];
    } else if (rows >= 0 && l_.c.rounding != ADAMAS_NEAREST && length % 32) {
      layout = &l_.layouts[0];  // as sparse/cpu.py: only the index is not flat
      layout->dims = 1;
      layout->size[0] = rows * length;
      layout->index_stride[0] = 1;
      layout->flat = (1 << ADAMAS_MAX_OPERANDS) - 1;
      for (auto& stride : layout->stride) stride[0] = 1;
    }
    l_.layout.push_back(layout);
    for (int k = 0; k < 2 + l_.rule.slots; ++k) draw_operand(i, k, !size.empty());
    if (l_.c.rounding == ADAMAS_SPLIT) draw_operand(i, ADAMAS_LOW, !size.empty());
    if (!size.empty() && (blocks_ || l_.c.rounding == ADAMAS_NEAREST || !strides(l_.layouts[size_t(i)], layout->index_stride, 1))) {
      strides(l_.layouts[size_t(i)], layout->index_stride, 0);
      layout->flat |= 1 << ADAMAS_MAX_OPERANDS;
    }
  }

  void draw_operand(int64_t i, int k, bool strided) {
    const int32_t dtype = l_.c.dtype[k];
    const bool is_signed = k < 2 || k == ADAMAS_LOW || l_.rule.is_signed[k - 2];
    const int64_t numel = l_.numel.back(), length = l_.length.back(), rows = length ? numel / length : 0;
    const bool coded = k >= 2 && k != ADAMAS_LOW && in_blocks(dtype);
    int64_t extent = numel;
    AdamasLayout& layout = l_.layouts[size_t(i)];
    if (strided) {
      const int64_t gap = coded ? 0 : random_.once_in(2) ? 0 : random_.from(1, 2);
      if (!strides(layout, layout.stride[k], gap)) layout.flat |= 1 << k;
      extent = 1;
      for (int d = 0; d < layout.dims; ++d) extent += (layout.size[d] - 1) * layout.stride[k][d];
    }
    const int64_t bytes = coded ? rows * code_bytes(dtype, length) : extent * width_of(dtype);
    Memory* memory = add(bytes, dtype, packed(dtype) ? 4 * random_.upto(3) : random_.upto(15), is_signed);
    l_.operand[k].push_back(memory->data());
    if (k == 1) l_.gradients.push_back(memory);
    if (strided && !coded) l_.gappy.emplace_back(memory, used(layout, layout.stride[k], extent));
    if (!coded) return;
    Memory* scale = add(rows * scale_bytes(dtype, length), dtype == ADAMAS_INT4 ? ADAMAS_BFLOAT16 : ADAMAS_FLOAT32, random_.upto(7), false);
    l_.scale[k - 2].push_back(scale->data());
  }

  Memory* add(int64_t bytes, int32_t dtype, int64_t shift, bool is_signed) {
    l_.memories.push_back(std::make_unique<Memory>(bytes, dtype, shift));
    l_.memories.back()->fill(random_, is_signed);
    return l_.memories.back().get();
  }

  // Strides of the dimensions in some order, gap: 0 in that of memory, 1 any, 2 with gaps; says whether they are not dense.
  bool strides(const AdamasLayout& layout, int64_t* stride, int64_t gap) {
    int order[ADAMAS_MAX_DIMS];
    for (int d = 0; d < layout.dims; ++d) order[d] = d;
    if (gap) {
      for (int d = layout.dims - 1; d > 0; --d) std::swap(order[d], order[random_.upto(d)]);
    }
    int64_t below = gap == 2 ? 2 : 1;
    bool other = gap == 2;
    for (int at = layout.dims - 1; at >= 0; --at) {
      stride[order[at]] = below;
      below *= layout.size[order[at]];
      other = other || order[at] != at;
    }
    return other;
  }

  static std::vector<bool> used(const AdamasLayout& layout, const int64_t* stride, int64_t extent) {
    std::vector<bool> used(size_t(extent), false);
    std::vector<int64_t> at(size_t(layout.dims), 0);
    for (;;) {
      int64_t offset = 0;
      for (int d = 0; d < layout.dims; ++d) offset += at[size_t(d)] * stride[d];
      used[size_t(offset)] = true;
      int d = layout.dims - 1;
      while (d >= 0 && ++at[size_t(d)] == layout.size[d]) at[size_t(d--)] = 0;
      if (d < 0) return used;
    }
  }

  void draw_numbers(int64_t tensors) {
    l_.rows = random_.from(1, 3);
    l_.c.scalars_per_row = 3 + l_.rule.scalars;
    for (int64_t i = 0; i < l_.rows; ++i) {
      l_.scalars.push_back(random_.once_in(2) ? 1.0 : random_.share());
      l_.scalars.push_back(random_.once_in(2) ? 0.0 : random_.share());
      l_.scalars.push_back(random_.once_in(2) ? 1.0 : random_.normal());
      for (int k = 0; k < l_.rule.scalars; ++k) l_.scalars.push_back(random_.once_in(20) ? 0.0 : random_.share());
      if (random_.once_in(50)) l_.scalars.back() = NAN;
    }
    for (int64_t i = 0; i < tensors; ++i) {
      l_.row.push_back(int32_t(random_.upto(l_.rows - 1)));
      l_.stream.push_back(random_.next());
      l_.step.push_back(double(random_.from(1, 1 << 20)));
    }
    const int64_t threads[] = {1, 2, 3, 4, 7, 0, -1};
    l_.c.threads = int32_t(threads[random_.upto(6)]);
  }

  void finish(int64_t tensors) {
    AdamasLaunch& c = l_.c;
    c.tensors = tensors;
    c.numel = l_.numel.data();
    c.first_block = l_.first.data();
    for (int k = 0; k < ADAMAS_MAX_OPERANDS; ++k) c.operand[k] = l_.operand[k].empty() ? nullptr : l_.operand[k].data();
    for (int k = 0; k < ADAMAS_MAX_SLOTS; ++k) c.scale[k] = l_.scale[k].empty() ? nullptr : l_.scale[k].data();
    c.row_length = blocks_ ? l_.length.data() : nullptr;
    c.layout = l_.layout.data();
    c.row = l_.row.data();
    c.scalars = l_.scalars.data();
    c.stream = l_.stream.data();
    c.step = l_.step.data();
  }

  Random& random_;
  Launch& l_;
  bool blocks_ = false;
};

#endif
