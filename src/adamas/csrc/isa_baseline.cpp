// The engine, compiled for baseline: CMakeLists.txt gives the flags.
#include <stddef.h>

#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace adamas_baseline {
#include "engine.h"
#include "norms.h"
#include "sparse.h"
#include "stats.h"

extern const AdamasKernels kernels;
const AdamasKernels kernels = {find, squares, ratios_of, find_look, find_rows, catch_up};
}  // namespace adamas_baseline
