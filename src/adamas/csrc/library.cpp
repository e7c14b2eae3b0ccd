// The exported functions: choose the instruction set, share the work out to threads, flush denormals while at it.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <chrono>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels.h"

namespace adamas_baseline {
extern const AdamasKernels kernels;
}
#if defined(ADAMAS_X86)
namespace adamas_avx2 {
extern const AdamasKernels kernels;
}
namespace adamas_avx512 {
extern const AdamasKernels kernels;
}
#endif

namespace {

struct Isa {
  const char* name;
  const AdamasKernels* kernels;
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
    {"avx512", &adamas_avx512::kernels, has_avx512},
    {"avx2", &adamas_avx2::kernels, has_avx2},
#endif
    {kBaseline, &adamas_baseline::kernels, always},
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
    const bool coded = k >= 2 && launch.dtype[k] <= ADAMAS_INT16;
    if (launch.dtype[k] < ADAMAS_FLOAT32 || !(coded || launch.dtype[k] <= ADAMAS_FLOAT16)) return false;
  }
  return launch.tensors >= 0 && launch.scalars_per_row >= 3;
}

bool sound(const AdamasRows& rows) {
  const bool some = rows.length >= 0 && rows.count >= 0 && rows.count <= INT32_MAX;
  return rows.launch && sound(*rows.launch) && rows.launch->tensors == 1 && some;
}

#include "dealing.h"

// Deal rows out to threads; returns the sum of what work(stretch) returns.
template <class F>
int64_t deal_rows(const AdamasRows& rows, F work) {
  int64_t sum = 0;
#if defined(_OPENMP)
  if (rows.launch->threads > 1 && rows.count * rows.length >= kBlocksWorthThreads * ADAMAS_BLOCK) {
    Deal deal(rows.count, rows.length, rows.launch->threads);
#pragma omp parallel num_threads(rows.launch->threads) reduction(+ : sum)
    {
      const FlushDenormals flush;
      const int me = omp_get_thread_num();
      for (Stretch some = deal.next(me); some.begin < some.end; some = deal.next(me)) sum += work(some);
    }
    return sum;
  }
#endif
  const FlushDenormals flush;
  sum = work({0, rows.count, 0, rows.count});
  return sum;
}

// How many calls try how rows are asked for, and of how many.
constexpr int64_t kTrials = 16, kTrialsEvery = 1024;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Call take(rows) with the way of asking for rows that takes the least time, or is being tried; returns what it does.
template <class F>
int64_t take_rows(AdamasRows rows, F take) {
  AdamasTrial* const trial = rows.trial;
  if (!trial || !rows.count) return take(rows);
  const int64_t number = trial->calls++ % kTrialsEvery;
  if (number == 0) trial->fastest[0] = trial->fastest[1] = 1e300;
  if (number >= kTrials) {
    rows.together = trial->fastest[1] < trial->fastest[0];
    return take(rows);
  }
  rows.together = int32_t(number % 2);
  const double start = seconds();
  const int64_t taken = take(rows);
  const double each = (seconds() - start) / double(rows.count);
  if (each < trial->fastest[rows.together]) trial->fastest[rows.together] = each;
  return taken;
}

// Share the blocks of all tensors out to threads: each(at, tensor, start, end, meets) is called for every one of them; `meets`
// says whether it is a share's last and its tensor goes on. Which ones these are depends on nothing but the arguments.
template <class F>
void share_blocks(int64_t tensors, const int64_t* numel, const int64_t* first, int threads, F each) {
  const int64_t blocks = first[tensors];
  const auto share = [&](int64_t at, int64_t end) {
    int64_t tensor = 0;
    for (; at < end; ++at) {
      while (first[tensor + 1] <= at) ++tensor;
      const int64_t start = (at - first[tensor]) * ADAMAS_BLOCK, left = numel[tensor] - start;
      each(at, tensor, start, start + (left < ADAMAS_BLOCK ? left : ADAMAS_BLOCK), at + 1 == end && end < first[tensor + 1]);
    }
  };
#if defined(_OPENMP)
  if (threads > 1 && blocks >= kBlocksWorthThreads) {
#pragma omp parallel num_threads(threads)
    for (int64_t part = omp_get_thread_num(); part < threads; part += omp_get_num_threads()) {
      share(blocks * part / threads, blocks * (part + 1) / threads);
    }
    return;
  }
#endif
  (void)threads;
  share(0, blocks);
}

// Sum every tensor in blocks, shared out to threads, then its blocks one after the other: the same for any number of threads.
// block(tensor, start, end) sums one of them.
template <class F>
void sum_blocks(int64_t tensors, const int64_t* numel, const int64_t* first, int threads, double* partial, double* out,
                F block) {
  share_blocks(tensors, numel, first, threads, [&](int64_t at, int64_t tensor, int64_t start, int64_t end, bool) {
    partial[at] = block(tensor, start, end);
  });
  for (int64_t tensor = 0; tensor < tensors; ++tensor) {
    out[tensor] = 0.0;
    for (int64_t at = first[tensor]; at < first[tensor + 1]; ++at) out[tensor] += partial[at];
  }
}

}  // namespace

int adamas_step(const AdamasLaunch* launch) {
  if (!sound(*launch)) return -1;
  const AdamasKernels::Share share = chosen->kernels->find(launch->rule, launch->compute);
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

int adamas_step_rows(const AdamasRows* rows) {
  if (!sound(*rows)) return -1;
  const AdamasKernels::RowsShare work = chosen->kernels->find_rows(rows->launch->rule, rows->launch->compute);
  if (!work || (rows->count && !rows->row)) return -1;
  take_rows(*rows, [&](const AdamasRows& some) {
    return deal_rows(some, [&](const Stretch& stretch) {
      work(some, stretch);
      return int64_t(0);
    });
  });
  if (rows->lag && rows->lag->next) adamas_advance(rows->lag);
  return 0;
}

int64_t adamas_catch_up(const AdamasRows* rows) {
  if (!sound(*rows) || !rows->lag) return -1;
  return take_rows(*rows, [&](const AdamasRows& some) {
    return deal_rows(some, [&](const Stretch& stretch) { return chosen->kernels->catch_up(some, stretch); });
  });
}

void adamas_advance(const AdamasLag* lag) {
  const double rate = lag->next[0], r = lag->next[1], keep = lag->next[2];
  const int64_t at = lag->now + 1 - lag->start, first = at > lag->reach ? at - lag->reach : 0;
  lag->kept[at] = lag->kept[at - 1] * keep;
  lag->rate[at] = rate;
  lag->unbias[at] = 1 / r;
  lag->power1[at] = lag->next[3];
  lag->power2[at] = lag->next[4];
  double factor[ADAMAS_SUMS], power = rate / lag->kept[at];
  for (int n = 0; n < ADAMAS_SUMS; ++n) factor[n] = power *= r;
  double* const sums = lag->sums + first * ADAMAS_SUMS;
  const double* const powers = lag->powers + (lag->reach - (at - first)) * ADAMAS_SUMS;
  for (int64_t i = 0; i < at - first; ++i) {
    for (int n = 0; n < ADAMAS_SUMS; ++n) sums[i * ADAMAS_SUMS + n] += powers[i * ADAMAS_SUMS + n] * factor[n];
  }
}

int adamas_squares(int32_t dtype, int32_t threads, int64_t tensors, const int64_t* numel, const int64_t* first_block,
                   const void* const* from, double* partial, double* out) {
  if (dtype < ADAMAS_FLOAT32 || dtype > ADAMAS_FLOAT16) return -1;
  sum_blocks(tensors, numel, first_block, threads, partial, out, [&](int64_t tensor, int64_t start, int64_t end) {
    return chosen->kernels->squares(from[tensor], dtype, start, end - start);
  });
  return 0;
}

int adamas_ratios(const AdamasLaunch* launch, int32_t slot, const double* moments, double* partial, double* out) {
  if (!sound(*launch) || slot < 0 || slot >= ADAMAS_MAX_SLOTS) return -1;
  sum_blocks(launch->tensors, launch->numel, launch->first_block, launch->threads, partial, out,
             [&](int64_t tensor, int64_t start, int64_t end) {
               return chosen->kernels->ratios_of(*launch, moments, slot, tensor, start, end);
             });
  return 0;
}

int adamas_statistics(const AdamasLaunch* launch, const double* limits, int32_t step, double* partial, double* out) {
  if (!sound(*launch)) return -1;
  const AdamasKernels::Look block = chosen->kernels->find_look(launch->rule, launch->compute);
  const AdamasKernels::Share take = chosen->kernels->find(launch->rule, launch->compute);
  if (!block || !take) return -1;
  const auto share = [&](auto each) {
    share_blocks(launch->tensors, launch->numel, launch->first_block, launch->threads, each);
  };
  // Units of rows may reach over the end of a block: the next one's step takes them whole, so it comes after this one's look.
  // Where threads meet, that is made sure of by looking there first.
  const auto reaches = [&](int64_t tensor) { return launch->row_length && launch->row_length[tensor] % kUnit != 0; };
  bool any = false;
  for (int64_t tensor = 0; tensor < launch->tensors; ++tensor) any = any || reaches(tensor);
  if (step && any) {
    share([&](int64_t at, int64_t tensor, int64_t start, int64_t end, bool meets) {
      if (!meets || !reaches(tensor)) return;
      const FlushDenormals flush;
      block(*launch, limits, 0, tensor, start, end, partial + at * ADAMAS_STATISTICS);
    });
  }
  share([&](int64_t at, int64_t tensor, int64_t start, int64_t end, bool meets) {
    const FlushDenormals flush;  // as the step does
    if (step && meets && reaches(tensor)) return take(*launch, at, at + 1);
    block(*launch, limits, step, tensor, start, end, partial + at * ADAMAS_STATISTICS);
  });
  constexpr int kLast = ADAMAS_STATISTICS - 1;  // all but the last are added up
  for (int64_t tensor = 0; tensor < launch->tensors; ++tensor, out += ADAMAS_STATISTICS) {
    for (int k = 0; k <= kLast; ++k) out[k] = 0.0;
    for (int64_t at = launch->first_block[tensor]; at < launch->first_block[tensor + 1]; ++at) {
      const double* own = partial + at * ADAMAS_STATISTICS;
      for (int k = 0; k < kLast; ++k) out[k] += own[k];
      out[kLast] = own[kLast] > out[kLast] ? own[kLast] : out[kLast];
    }
  }
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
