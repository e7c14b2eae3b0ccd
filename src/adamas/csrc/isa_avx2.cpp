// The engine, compiled for avx2: CMakeLists.txt gives the flags.
#include <stddef.h>

#include "adamas.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace adamas_avx2 {
#include "engine.h"
#include "norms.h"
}  // namespace adamas_avx2
