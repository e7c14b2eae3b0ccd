// The exported functions: choose the instruction set, share the work out to threads, flush denormals while at it.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "adamas.h"

using Share = void (*)(const AdamasLaunch&, int64_t, int64_t);

namespace adamas_baseline {
Share find(int32_t rule, int32_t compute);
}
#if defined(ADAMAS_X86)
namespace adamas_avx2 {
Share find(int32_t rule, int32_t compute);
}
namespace adamas_avx512 {
Share find(int32_t rule, int32_t compute);
}
#endif

namespace {

struct Isa {
  const char* name;
  Share (*find)(int32_t, int32_t);
  bool (*available)();
};

#if defined(ADAMAS_X86)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif
bool always() { return true; }

#if defined(__aarch64__)
constexpr const char* kBaseline = "neon";  // every 64-bit ARM has it
#else
constexpr const char* kBaseline = "baseline";
#endif

// Best first.
const Isa kIsas[] = {
#if defined(ADAMAS_X86)
    {"avx512", adamas_avx512::find, has_avx512},
    {"avx2", adamas_avx2::find, has_avx2},
#endif
    {kBaseline, adamas_baseline::find, always},
};

const Isa* best() {
  for (const Isa& isa : kIsas) {
    if (isa.available()) return &isa;
  }
  return nullptr;
}

const Isa* chosen = best();

// Denormals cost a hundred times a normal number on many CPUs, and moments decay through them. Flushed here only.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" ::"r"(saved_ | (uint64_t(1) << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }

 private:
  uint64_t saved_;
#else
  FlushDenormals() {}
#endif
};

// Under this many blocks waking the threads costs more than they save.
constexpr int64_t kBlocksWorthThreads = 8;

bool sound(const AdamasLaunch& launch) {
  if (launch.compute != ADAMAS_FLOAT32 && launch.compute != ADAMAS_FLOAT64) return false;
  for (int k = 0; k < ADAMAS_MAX_OPERANDS; ++k) {
    const bool coded = k >= 2 && launch.dtype[k] <= ADAMAS_GROWING8;
    if (launch.dtype[k] < ADAMAS_FLOAT32 || !(coded || launch.dtype[k] <= ADAMAS_FLOAT16)) return false;
  }
  return launch.tensors >= 0 && launch.scalars_per_row >= 3;
}

}  // namespace

int adamas_step(const AdamasLaunch* launch) {
  if (!sound(*launch)) return -1;
  const Share share = chosen->find(launch->rule, launch->compute);
  if (!share) return -1;
  const int64_t blocks = launch->first_block[launch->tensors];
  if (blocks == 0) return 0;
  int threads = launch->threads;
  if (blocks < kBlocksWorthThreads || threads < 1) threads = 1;
  if (threads > blocks) threads = int(blocks);
#if defined(_OPENMP)
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    {
      const FlushDenormals flush;
      const int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
      const int64_t begin = blocks * me / team, end = blocks * (me + 1) / team;
      if (begin < end) share(*launch, begin, end);
    }
    return 0;
  }
#endif
  const FlushDenormals flush;
  share(*launch, 0, blocks);
  return 0;
}

void adamas_count(int64_t n, float* const* counter, double* out) {
  for (int64_t i = 0; i < n; ++i) {
    *counter[i] += 1.0f;
    out[i] = *counter[i];
  }
}

void adamas_read(int64_t n, const float* const* counter, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = *counter[i];
}

void adamas_write(int64_t n, float* const* counter, const double* values) {
  for (int64_t i = 0; i < n; ++i) *counter[i] = float(values[i]);
}

int adamas_abi(void) { return ADAMAS_ABI; }

const char* adamas_isa(void) { return chosen->name; }

int adamas_use_isa(const char* name) {
  for (const Isa& isa : kIsas) {
    if (strcmp(isa.name, name) == 0 && isa.available()) {
      chosen = &isa;
      return 0;
    }
  }
  return -1;
}
