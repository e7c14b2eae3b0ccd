// Asks many Python objects at once. Nothing here knows how Python or torch lay them out: what reads a list and what finds
// a tensor's numbers are functions of theirs, handed in. Called with Python's lock held.

#include <stdint.h>

#include "adamas.h"

int64_t adamas_addresses(AdamasItem item, AdamasAddress address, void* list, int64_t n, uint64_t* out) {
  int64_t i = 0;
#if defined(__cpp_exceptions)
  try {
#endif
    for (; i < n; ++i) out[i] = uint64_t(address(item(list, i)));
#if defined(__cpp_exceptions)
  } catch (...) {  // torch's way to say that this one has no numbers
  }
#endif
  return i;
}

int adamas_identical(AdamasItem item, void* a, void* b, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (item(a, i) != item(b, i)) return 0;
  }
  return 1;
}
