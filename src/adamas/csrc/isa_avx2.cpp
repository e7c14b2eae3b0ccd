// The engine, compiled for avx2: CMakeLists.txt gives the flags.
#include <stddef.h>

#include "adamas.h"

namespace adamas_avx2 {
#include "engine.h"
}  // namespace adamas_avx2
