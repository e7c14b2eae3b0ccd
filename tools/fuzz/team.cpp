// OpenMP's teams by std::thread, for ThreadSanitizer: libgomp's own threads meet at barriers that it cannot see, and would
// be reported as races. GCC turns `#pragma omp parallel` into a call of GOMP_parallel, and `#pragma omp barrier` into one
// of GOMP_barrier; the build that links this file instead of libgomp runs the very loops of library.cpp and touch.cpp,
// with joins and barriers that ThreadSanitizer understands.

#include <barrier>
#include <thread>
#include <vector>

namespace {
thread_local int me = 0, team = 1;
thread_local std::barrier<>* meeting = nullptr;
}

extern "C" {

int omp_get_thread_num() { return me; }
int omp_get_num_threads() { return team; }

void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned) {
  const int size = threads ? int(threads) : 2;
  std::barrier all(size);
  const auto run = [=, &all](int number) {
    me = number;
    team = size;
    meeting = &all;
    body(data);
    me = 0;
    team = 1;
    meeting = nullptr;
  };
  std::vector<std::thread> others;
  for (int number = 1; number < size; ++number) others.emplace_back(run, number);
  run(0);
  for (std::thread& each : others) each.join();
}

void GOMP_barrier() {
  if (meeting) meeting->arrive_and_wait();
}
}
