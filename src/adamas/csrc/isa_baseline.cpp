// The engine, compiled for baseline: CMakeLists.txt gives the flags.
#include <stddef.h>

#include "adamas.h"

namespace adamas_baseline {
#include "engine.h"
}  // namespace adamas_baseline
