// The engine, compiled for avx512: CMakeLists.txt gives the flags.
#include <stddef.h>

#include "adamas.h"

namespace adamas_avx512 {
#include "engine.h"
}  // namespace adamas_avx512
