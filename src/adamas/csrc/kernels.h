// What every instruction set has: a table of functions, defined in isa_*.cpp and chosen from in library.cpp.
#ifndef ADAMAS_KERNELS_H
#define ADAMAS_KERNELS_H

#include "adamas.h"

constexpr int64_t kUnit = 128;  // elements of a row that are staged at a time: a multiple of every block

// Rows begin .. end, which a thread works on. It has first .. last in all: their memory may be asked for.
struct Stretch {
  int64_t begin, end, first, last;
};

struct AdamasKernels {
  using Share = void (*)(const AdamasLaunch&, int64_t block, int64_t end);
  using RowsShare = void (*)(const AdamasRows&, const Stretch&);

  using Look = void (*)(const AdamasLaunch&, const double* limits, bool step, int64_t tensor, int64_t start, int64_t end,
                        double* out);

  Share (*find)(int32_t rule, int32_t compute);
  double (*squares)(const void* from, int32_t dtype, int64_t start, int64_t n);
  double (*ratios_of)(const AdamasLaunch&, const double* moments, int slot, int64_t tensor, int64_t start, int64_t end);
  Look (*find_look)(int32_t rule, int32_t compute);
  RowsShare (*find_rows)(int32_t rule, int32_t compute);
  int64_t (*catch_up)(const AdamasRows&, const Stretch&);
};

#endif
