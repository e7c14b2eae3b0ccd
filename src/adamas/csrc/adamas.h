// The C ABI of the CPU engine: plain structs and functions, no torch, no Python.
// The caller is engines/cpu.py; it must agree with this file field by field, and ADAMAS_ABI says whether it does.
#ifndef ADAMAS_H
#define ADAMAS_H

#include <stdint.h>

#define ADAMAS_ABI 10
#define ADAMAS_MAX_SLOTS 3
#define ADAMAS_MAX_DIMS 8
#define ADAMAS_LOW (2 + ADAMAS_MAX_SLOTS)  // operands: weight, gradient, slots, the bits below the weight
#define ADAMAS_MAX_OPERANDS (ADAMAS_LOW + 1)

#if defined(_WIN32)
#define ADAMAS_EXPORT __declspec(dllexport)
#else
#define ADAMAS_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum AdamasDtype {
  ADAMAS_FLOAT32 = 0,
  ADAMAS_FLOAT64 = 1,
  ADAMAS_BFLOAT16 = 2,
  ADAMAS_FLOAT16 = 3,
  // Codes of slots, in blocks of a row (int8.h, int4.h); ADAMAS_INT8 and ADAMAS_INT16 also hold bits below a weight.
  ADAMAS_INT8 = 4,
  ADAMAS_UINT8 = 5,
  ADAMAS_INT4 = 6,
  ADAMAS_UINT4 = 7,
  ADAMAS_INT16 = 8,
};

// Split: 16-bit weights with more bits of them in operand ADAMAS_LOW; their slots are rounded at random.
enum AdamasRounding { ADAMAS_NEAREST = 0, ADAMAS_STOCHASTIC = 1, ADAMAS_SPLIT = 2 };

// Where the elements of a tensor are, when they are not simply one after another in every operand.
// Dimensions are those of the weight, in the order of its memory, merged where that is possible for all operands.
// Strides are in elements. An operand is flat when element i of that order lies at offset i.
typedef struct {
  int32_t dims;
  int32_t flat;  // bit k: operand k is flat (0 weight, 1 gradient, 2.. slots, ADAMAS_LOW, ADAMAS_MAX_OPERANDS the index)
  int64_t size[ADAMAS_MAX_DIMS];
  int64_t stride[ADAMAS_MAX_OPERANDS][ADAMAS_MAX_DIMS];
  int64_t index_stride[ADAMAS_MAX_DIMS];  // of the row-major index, which is the counter of stochastic rounding
} AdamasLayout;

// One call: many tensors of the same rule, dtypes and rounding. Arrays have one entry a tensor unless said otherwise.
typedef struct {
  int32_t rule;       // its place in adamas.rules.COMPILED
  int32_t compute;    // ADAMAS_FLOAT32 or ADAMAS_FLOAT64: what the rule computes in
  int32_t dtype[ADAMAS_MAX_OPERANDS];
  int32_t rounding;
  int32_t threads;
  int32_t scalars_per_row;  // 3 + the rule's
  int64_t tensors;
  const int64_t* numel;
  const int64_t* first_block;  // tensors + 1 entries: prefix sums of the tensors' numbers of ADAMAS_BLOCKs
  void* const* operand[ADAMAS_MAX_OPERANDS];
  void* const* scale[ADAMAS_MAX_SLOTS];  // of slots with blocks: a number a block
  const int64_t* row_length;             // NULL if no slot has blocks; else layouts walk their elements row-major
  const AdamasLayout* const* layout;     // NULL entries: every operand is flat and row-major
  const int32_t* row;                 // which row of scalars
  const double* scalars;              // rows of: keep = 1 - lr * decoupled decay, coupled decay, gradient factor, rule's
  const uint64_t* stream;             // key of the tensor's random numbers; they also depend on the step
  const double* step;
  const int64_t* origin;  // row-major index of the first element, of tensors that are pieces of larger ones; NULL: all 0
} AdamasLaunch;

// How far the rows of a tensor are behind: numbers of the host, see sparse/table.py. Arrays begin at the step `start`.
#define ADAMAS_SUMS 5
typedef struct {
  int64_t start, now;  // the first step of the arrays, and the one to catch up to
  int64_t reach;       // after how many steps a row without gradients no longer moves
  int32_t constant;    // whether the denominator stays as it is meanwhile (AMSGrad): slot 2 holds its square
  int32_t* last;       // the step each row is at
  double* sums;        // P_0 .. P_4 of every step
  double *kept, *rate, *unbias;
  double *power1, *power2, *half2;  // by the number of steps that were missed
  double eps, tolerance;
  const double* powers;  // what terms shrink by: a row of ADAMAS_SUMS for each of the reach's births, the oldest first
  const double* next;    // numbers of the step after `now`: rate, r, keep, b1 and b2 to the number of steps since `start`;
                         // NULL: it is not to be entered
} AdamasLag;

// Rows are at random places, so that their memory is asked for ahead: line by line while other rows are worked on, or that of
// several together. Which takes less time depends on the processor: the first calls try both, and again after a thousand.
typedef struct {
  int64_t calls;
  double fastest[2];  // seconds a row, line by line and together
} AdamasTrial;

// Some rows of the one tensor of a launch, with a gradient of these rows alone.
typedef struct {
  const AdamasLaunch* launch;  // its operand 1 is not looked at; a layout says nothing but that the index is not flat
  int64_t length;              // elements of a row
  int64_t count;
  const int32_t* row;      // their numbers, different ones; NULL: 0, 1, ... (adamas_catch_up only)
  const int32_t* source;   // which row of values each takes, or, from `entries` on, of `added`
  const void* values;      // NULL if there is no gradient (adamas_catch_up only)
  const void* added;       // sums of adamas_merge, in the dtype of the computation
  int64_t entries;         // rows of values
  int32_t dtype;           // of values
  const int32_t* scalars;  // which row of scalars each takes; NULL: that of the launch
  const AdamasLag* lag;    // NULL: rows are stepped as they are
  int32_t together;        // how rows are asked for, where nothing is tried
  AdamasTrial* trial;      // NULL: nothing is tried
} AdamasRows;

// Elements per unit of work: what one thread takes at a time. The result does not depend on it.
#define ADAMAS_BLOCK 4096

// Take one step for every tensor of the launch. Returns 0, or -1 if a number in it is out of range (nothing is done).
ADAMAS_EXPORT int adamas_step(const AdamasLaunch* launch);

// The sum of squares of every tensor, in out: finite just when all elements are (but for float64 beyond 1e154).
// from: flat tensors of one dtype; first_block as in AdamasLaunch; partial: room for one number a block.
// Returns 0, or -1 if the dtype is out of range.
ADAMAS_EXPORT int adamas_squares(int32_t dtype, int32_t threads, int64_t tensors, const int64_t* numel,
                                 const int64_t* first_block, const void* const* from, double* partial, double* out);

// For every tensor of a launch that is about to be run, the sum of g^2 / max(v, floor), in out, where
// g is what the rule will see and v = (decay v + take g^2) unbias: the running mean of g^2 as the rule will have it.
// moments: rows of decay, take, unbias, floor beside those of launch->scalars; slot: which slot holds v.
ADAMAS_EXPORT int adamas_ratios(const AdamasLaunch* launch, int32_t slot, const double* moments, double* partial,
                                double* out);

// How many numbers adamas_statistics gives for a tensor.
#define ADAMAS_STATISTICS 13

// For every tensor of a launch that is about to be run, in out: sums of g^2, u^2, x^2, g m, g^2 / max(v unbias, floor), v;
// numbers of elements with u != 0, |u| > 0.9 lr, v > 0, of those v unbias < (10 eps)^2, u != 0 that rounding takes
// back, an infinite or NaN gradient; the largest |g|. g is what the rule will see, u its step, x the weight before it,
// m the mean of g before it, v the mean of g^2 after it; sums of what a rule has not are 0.
// limits: rows of 0.9 lr, unbias, floor (as for adamas_ratios) and (10 eps)^2 beside those of launch->scalars.
// step: whether to take the step, too: what a block reads is then still in cache. partial: room for 13 numbers a block.
ADAMAS_EXPORT int adamas_statistics(const AdamasLaunch* launch, const double* limits, int32_t step, double* partial,
                                    double* out);
// Sort the rows of a sparse gradient; count is less than 2^30, height less than 2^31. room has space for 8 count + 2 numbers
// and begins at a multiple of 8 bytes; it gets
//   the different rows, increasing;
//   from `count` on where each takes its gradient from: the place of its entry in index or, if it has several, `count` and
//   more, which sum of adamas_merge;
//   from 2 count on the places of the entries of these rows, those of a row together and in their order;
//   from 3 count on where among these the entries of each sum begin and end;
//   at 4 count how many sums there are; what is behind is of no use afterwards.
// known: how many rows an earlier call of as many entries has left in room, 0 if there was none. If they are those of this one, in the
// same order, that is the result.
// Returns how many rows there are, or -1 - the place of an index out of range.
ADAMAS_EXPORT int64_t adamas_touch(int64_t count, const int64_t* index, int64_t height, int32_t threads, int64_t known,
                                   int32_t* room);
// For each row with several entries, add them up in their order, in float32 or float64, starting from zero. room is what
// adamas_touch left; there is a row of out for each sum.
ADAMAS_EXPORT void adamas_merge(int64_t count, const int32_t* room, const void* values, int32_t dtype, int32_t compute,
                                int64_t width, int32_t threads, void* out);
// Step some rows, catching them up first if they lag, and enter the step. Returns 0, or -1 if a number is out of range.
ADAMAS_EXPORT int adamas_step_rows(const AdamasRows* rows);
// Enter the step after lag->now: its numbers into the arrays, which have room for them, and its terms into the sums of all
// births that it still moves.
ADAMAS_EXPORT void adamas_advance(const AdamasLag* lag);
// Catch up some rows; returns how many were behind, or -1.
ADAMAS_EXPORT int64_t adamas_catch_up(const AdamasRows* rows);

// Add 1 to n float32 counters and write their new values to out.
ADAMAS_EXPORT void adamas_count(int64_t n, float* const* counter, double* out);
// Read n float32 counters, and write them.
ADAMAS_EXPORT void adamas_read(int64_t n, const float* const* counter, double* out);
ADAMAS_EXPORT void adamas_write(int64_t n, float* const* counter, const double* values);

// Python's PyList_GetItem, and torch's way from a tensor object to its first element; the latter may throw.
typedef void* (*AdamasItem)(void* list, intptr_t place);
typedef void* (*AdamasAddress)(void* tensor);
// Write where the numbers of n tensors in a list are. Returns how many were found: n, or the place of one without numbers.
ADAMAS_EXPORT int64_t adamas_addresses(AdamasItem item, AdamasAddress address, void* list, int64_t n, uint64_t* out);
// Return 1 if the first n objects of two lists are the very same ones, else 0.
ADAMAS_EXPORT int adamas_identical(AdamasItem item, void* a, void* b, int64_t n);

ADAMAS_EXPORT int adamas_abi(void);
// Which instruction set was chosen: "avx512", "avx2", "neon" or "baseline".
ADAMAS_EXPORT const char* adamas_isa(void);
// Choose one by name; returns -1 and changes nothing if this CPU or this library has none of that name.
ADAMAS_EXPORT int adamas_use_isa(const char* name);

#ifdef __cplusplus
}
#endif

#endif
