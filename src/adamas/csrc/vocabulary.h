// The words of the rule language (rules/language.py) in C++, each with the same bits as on torch tensors.
// Included once per instruction set, inside that instruction set's own namespace: see engine.h.

template <class T>
struct Constant {
  static T of(double x) { return T(x); }
};
template <>
struct Constant<Floats> {
  static Floats of(double x) { return splat(float(x)); }
};
template <>
struct Constant<Doubles> {
  static Doubles of(double x) { return splat(x); }
};

template <class T>
static inline T constant(double x) {
  return Constant<T>::of(x);
}

static inline float magnitude(float x) { return __builtin_fabsf(x); }
static inline double magnitude(double x) { return __builtin_fabs(x); }

template <class T>
static inline T absolute(T x) {
  return magnitude(x);
}

// The larger value; NaN if either is NaN, as torch.maximum.
template <class T>
static inline T maximum(T a, T b) {
  return ((a > b) | (a != a)) ? a : b;
}

// -1, 0 or 1; 0 for NaN, as torch.sign.
template <class T>
static inline T sign(T x) {
  const T zero = constant<T>(0.0), one = constant<T>(1.0);
  return (x > zero ? one : zero) - (x < zero ? one : zero);
}

static inline float root(float x) { return __builtin_sqrtf(x); }
static inline double root(double x) { return __builtin_sqrt(x); }

template <class T>
static inline T sqrt(T x) {
  return root(x);
}

// start + weight (end - start), in the form that is exactly end at weight = 1. The weight is the same for all elements,
// so the compiler lifts the choice out of the loop.
template <class T>
static inline T lerp(T start, T end, T weight) {
  const auto near = magnitude(weight) < constant<T>(0.5);
  const T base = near ? start : end;
  const T factor = near ? weight : weight - constant<T>(1.0);
  return base + factor * (end - start);
}
