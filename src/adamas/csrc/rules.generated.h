// The update rules, printed from src/adamas/rules by `python -m adamas.rules.cpp`. Do not edit.
//
// update() takes the decayed weight x and the gradient g of one element, the step's scalars c and the element's
// slots, which it replaces; it returns the new weight. Compile without contraction: a fused multiply-add would change
// the bits.

// u = lr g (Robbins & Monro 1951).
struct SGD {
  static constexpr int kSlots = 0;
  static constexpr int kScalars = 1;
  static constexpr int kFirst = -1, kSecond = -1;
  static constexpr bool kSigned[] = {true};
  template <class T>
  struct Scalars {
    T lr;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c) {
    const T t0 = c.lr * g;
    return x - t0;
  }
};

// b = mu b + (1 - dampening) g, u = lr b (Polyak 1964, as in Sutskever et al. 2013).
struct Momentum {
  static constexpr int kSlots = 1;
  static constexpr int kScalars = 3;
  static constexpr int kFirst = 0, kSecond = -1;
  static constexpr bool kSigned[] = {true};
  template <class T>
  struct Scalars {
    T lr, mu, take;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& momentum_buffer) {
    const T t0 = c.mu * momentum_buffer;
    const T t1 = c.take * g;
    const T t2 = t0 + t1;
    const T t3 = c.lr * t2;
    momentum_buffer = t2;
    return x - t3;
  }
};

// b = mu b + g, u = lr (g + mu b) (Nesterov 1983, in the form of Sutskever et al. 2013).
struct Nesterov {
  static constexpr int kSlots = 1;
  static constexpr int kScalars = 3;
  static constexpr int kFirst = 0, kSecond = -1;
  static constexpr bool kSigned[] = {true};
  template <class T>
  struct Scalars {
    T lr, mu, take;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& momentum_buffer) {
    const T t0 = c.mu * momentum_buffer;
    const T t1 = c.take * g;
    const T t2 = t0 + t1;
    const T t3 = c.mu * t2;
    const T t4 = g + t3;
    const T t5 = c.lr * t4;
    momentum_buffer = t2;
    return x - t5;
  }
};

// s = s + g^2, u = lr_t g / (sqrt(s) + eps).
struct Adagrad {
  static constexpr int kSlots = 1;
  static constexpr int kScalars = 2;
  static constexpr int kFirst = -1, kSecond = -1;
  static constexpr bool kSigned[] = {false};
  template <class T>
  struct Scalars {
    T lr, eps;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& sum) {
    const T t0 = g * g;
    const T t1 = sum + t0;
    const T t2 = c.lr * g;
    const T t3 = sqrt<T>(t1);
    const T t4 = t3 + c.eps;
    const T t5 = t2 / t4;
    sum = t1;
    return x - t5;
  }
};

// v = alpha v + (1 - alpha) g^2, u = lr g / (sqrt(v) + eps).
struct RMSprop {
  static constexpr int kSlots = 1;
  static constexpr int kScalars = 4;
  static constexpr int kFirst = -1, kSecond = 0;
  static constexpr bool kSigned[] = {false};
  template <class T>
  struct Scalars {
    T lr, alpha, beta, eps;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& square_avg) {
    const T t0 = c.alpha * square_avg;
    const T t1 = g * g;
    const T t2 = c.beta * t1;
    const T t3 = t0 + t2;
    const T t4 = c.lr * g;
    const T t5 = sqrt<T>(t3);
    const T t6 = t5 + c.eps;
    const T t7 = t4 / t6;
    square_avg = t3;
    return x - t7;
  }
};

// v as in RMSprop; b = mu b + g / (sqrt(v) + eps), u = lr b.
struct RMSpropMomentum {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 5;
  static constexpr int kFirst = -1, kSecond = 0;
  static constexpr bool kSigned[] = {false, true};
  template <class T>
  struct Scalars {
    T lr, alpha, beta, eps, mu;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& square_avg, T& momentum_buffer) {
    const T t0 = c.alpha * square_avg;
    const T t1 = g * g;
    const T t2 = c.beta * t1;
    const T t3 = t0 + t2;
    const T t4 = c.mu * momentum_buffer;
    const T t5 = sqrt<T>(t3);
    const T t6 = t5 + c.eps;
    const T t7 = g / t6;
    const T t8 = t4 + t7;
    const T t9 = c.lr * t8;
    square_avg = t3;
    momentum_buffer = t8;
    return x - t9;
  }
};

// a = alpha a + (1 - alpha) g, u = lr g / (sqrt(v - a^2) + eps).
struct RMSpropCentered {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 4;
  static constexpr int kFirst = 1, kSecond = 0;
  static constexpr bool kSigned[] = {false, true};
  template <class T>
  struct Scalars {
    T lr, alpha, beta, eps;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& square_avg, T& grad_avg) {
    const T t0 = c.alpha * square_avg;
    const T t1 = g * g;
    const T t2 = c.beta * t1;
    const T t3 = t0 + t2;
    const T t4 = lerp<T>(grad_avg, g, c.beta);
    const T t5 = c.lr * g;
    const T t6 = t4 * t4;
    const T t7 = t3 - t6;
    const T t8 = maximum<T>(t7, constant<T>(0.0));
    const T t9 = sqrt<T>(t8);
    const T t10 = t9 + c.eps;
    const T t11 = t5 / t10;
    square_avg = t3;
    grad_avg = t4;
    return x - t11;
  }
};

// v, a as in RMSpropCentered; b = mu b + g / (sqrt(v - a^2) + eps), u = lr b.
struct RMSpropCenteredMomentum {
  static constexpr int kSlots = 3;
  static constexpr int kScalars = 5;
  static constexpr int kFirst = 1, kSecond = 0;
  static constexpr bool kSigned[] = {false, true, true};
  template <class T>
  struct Scalars {
    T lr, alpha, beta, eps, mu;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& square_avg, T& grad_avg, T& momentum_buffer) {
    const T t0 = c.alpha * square_avg;
    const T t1 = g * g;
    const T t2 = c.beta * t1;
    const T t3 = t0 + t2;
    const T t4 = lerp<T>(grad_avg, g, c.beta);
    const T t5 = c.mu * momentum_buffer;
    const T t6 = t4 * t4;
    const T t7 = t3 - t6;
    const T t8 = maximum<T>(t7, constant<T>(0.0));
    const T t9 = sqrt<T>(t8);
    const T t10 = t9 + c.eps;
    const T t11 = g / t10;
    const T t12 = t5 + t11;
    const T t13 = c.lr * t12;
    square_avg = t3;
    grad_avg = t4;
    momentum_buffer = t12;
    return x - t13;
  }
};

// m and v as above; u = lr m^ / (sqrt(v^) + eps), with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t).
struct Adam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, eps, step, unbias;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.step * t0;
    const T t6 = sqrt<T>(t4);
    const T t7 = t6 * c.unbias;
    const T t8 = t7 + c.eps;
    const T t9 = t5 / t8;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t9;
  }
};

// Adam with the largest v so far in the denominator.
struct AMSGrad {
  static constexpr int kSlots = 3;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, eps, step, unbias;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq, T& max_exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = maximum<T>(max_exp_avg_sq, t4);
    const T t6 = c.step * t0;
    const T t7 = sqrt<T>(t5);
    const T t8 = t7 * c.unbias;
    const T t9 = t8 + c.eps;
    const T t10 = t6 / t9;
    exp_avg = t0;
    exp_avg_sq = t4;
    max_exp_avg_sq = t5;
    return x - t10;
  }
};

// u = lr (mu_{t+1} m / (1 - prod mu up to t+1) + (1 - mu_t) g / (1 - prod mu up to t)) / (sqrt(v^) + eps).
struct NAdam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 7;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, eps, unbias, by_g, by_m;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = t4 * c.unbias;
    const T t6 = sqrt<T>(t5);
    const T t7 = t6 + c.eps;
    const T t8 = c.by_g * g;
    const T t9 = t8 / t7;
    const T t10 = c.by_m * t0;
    const T t11 = t10 / t7;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t9 - t11;
  }
};

// u = lr m^ while rho_t <= 5, then lr r_t m^ sqrt(1 - beta2^t) / (sqrt(v) + eps).
struct RAdam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, eps, adaptive, plain;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.adaptive * t0;
    const T t6 = sqrt<T>(t4);
    const T t7 = t6 + c.eps;
    const T t8 = t5 / t7;
    const T t9 = c.plain * t0;
    const T t10 = t8 + t9;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t10;
  }
};

// n = max(beta2 n, |g| + eps), u = lr m / ((1 - beta1^t) n).
struct Adamax {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 4;
  static constexpr int kFirst = 0, kSecond = -1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, eps, step;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_inf) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_inf;
    const T t2 = absolute<T>(g);
    const T t3 = t2 + c.eps;
    const T t4 = maximum<T>(t1, t3);
    const T t5 = c.step * t0;
    const T t6 = t5 / t4;
    exp_avg = t0;
    exp_inf = t4;
    return x - t6;
  }
};

// u = lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g.
struct Lion {
  static constexpr int kSlots = 1;
  static constexpr int kScalars = 5;
  static constexpr int kFirst = 0, kSecond = -1;
  static constexpr bool kSigned[] = {true};
  template <class T>
  struct Scalars {
    T lr, beta1, take1, beta2, take2;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg) {
    const T t0 = c.beta1 * exp_avg;
    const T t1 = c.take1 * g;
    const T t2 = t0 + t1;
    const T t3 = sign<T>(t2);
    const T t4 = c.lr * t3;
    const T t5 = c.beta2 * exp_avg;
    const T t6 = c.take2 * g;
    const T t7 = t5 + t6;
    exp_avg = t7;
    return x - t4;
  }
};

// Adam with eps_mode='inside', nesterov=False, cautious=False, amsgrad=False.
struct InsideAdam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, by_m, unbias, eps;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.by_m * t0;
    const T t6 = t4 * c.unbias;
    const T t7 = t6 + c.eps;
    const T t8 = sqrt<T>(t7);
    const T t9 = t5 / t8;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t9;
  }
};

// Adam with eps_mode='atan2', nesterov=False, cautious=False, amsgrad=False.
struct Atan2Adam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, by_m, unbias, lr;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.by_m * t0;
    const T t6 = sqrt<T>(t4);
    const T t7 = t6 * c.unbias;
    const T t8 = absolute<T>(t5);
    const T t9 = maximum<T>(t8, t7);
    const T t10 = -t8;
    const T t11 = -t7;
    const T t12 = maximum<T>(t10, t11);
    const T t13 = -t12;
    const T t14 = maximum<T>(t9, constant<T>(1.1754943508222875e-38));
    const T t15 = t13 / t14;
    const T t16 = t15 * t15;
    const T t17 = t16 * constant<T>(0.002766283501324048);
    const T t18 = t17 + constant<T>(-0.015731249120717487);
    const T t19 = t16 * t18;
    const T t20 = t19 + constant<T>(0.04213762358729292);
    const T t21 = t16 * t20;
    const T t22 = t21 + constant<T>(-0.07456854825884664);
    const T t23 = t16 * t22;
    const T t24 = t23 + constant<T>(0.10618370636914991);
    const T t25 = t16 * t24;
    const T t26 = t25 + constant<T>(-0.1419779779407795);
    const T t27 = t16 * t26;
    const T t28 = t27 + constant<T>(0.1999187202910793);
    const T t29 = t16 * t28;
    const T t30 = t29 + constant<T>(-0.3333303670928615);
    const T t31 = t16 * t30;
    const T t32 = t31 + constant<T>(0.9999999817886558);
    const T t33 = t15 * t32;
    const T t34 = t8 - t7;
    const T t35 = sign<T>(t34);
    const T t36 = t35 + constant<T>(1.0);
    const T t37 = t36 * constant<T>(0.5);
    const T t38 = sign<T>(t5);
    const T t39 = constant<T>(2.0) * t33;
    const T t40 = constant<T>(1.5707963267948966) - t39;
    const T t41 = t37 * t40;
    const T t42 = t33 + t41;
    const T t43 = t38 * t42;
    const T t44 = c.lr * t43;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t44;
  }
};

// Adam with eps_mode='add', nesterov=True, cautious=False, amsgrad=False.
struct NesterovAdam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 7;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, by_m, by_g, unbias, eps;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.by_m * t0;
    const T t6 = c.by_g * g;
    const T t7 = t5 + t6;
    const T t8 = sqrt<T>(t4);
    const T t9 = t8 * c.unbias;
    const T t10 = t9 + c.eps;
    const T t11 = t7 / t10;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t11;
  }
};

// Adam with eps_mode='add', nesterov=False, cautious=True, amsgrad=False.
struct CautiousAdam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, by_m, unbias, eps;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.by_m * t0;
    const T t6 = sqrt<T>(t4);
    const T t7 = t6 * c.unbias;
    const T t8 = t7 + c.eps;
    const T t9 = t5 / t8;
    const T t10 = sign<T>(t5);
    const T t11 = sign<T>(g);
    const T t12 = t10 * t11;
    const T t13 = maximum<T>(t12, constant<T>(0.0));
    const T t14 = t9 * t13;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t14;
  }
};

// Adam as in ``torch.optim.SparseAdam``: u = lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps).
struct SparseAdam {
  static constexpr int kSlots = 2;
  static constexpr int kScalars = 6;
  static constexpr int kFirst = 0, kSecond = 1;
  static constexpr bool kSigned[] = {true, false};
  template <class T>
  struct Scalars {
    T take1, beta2, take2, eps, step, unbias;
  };
  template <class T>
  static inline T update(const T x, const T g, const Scalars<T>& c, T& exp_avg, T& exp_avg_sq) {
    const T t0 = lerp<T>(exp_avg, g, c.take1);
    const T t1 = c.beta2 * exp_avg_sq;
    const T t2 = g * g;
    const T t3 = c.take2 * t2;
    const T t4 = t1 + t3;
    const T t5 = c.step * t0;
    const T t6 = sqrt<T>(t4);
    const T t7 = t6 * c.unbias;
    const T t8 = t7 + c.eps;
    const T t9 = t5 / t8;
    exp_avg = t0;
    exp_avg_sq = t4;
    return x - t9;
  }
};

#define ADAMAS_RULES SGD, Momentum, Nesterov, Adagrad, RMSprop, RMSpropMomentum, RMSpropCentered, RMSpropCenteredMomentum, Adam, AMSGrad, NAdam, RAdam, Adamax, Lion, InsideAdam, Atan2Adam, NesterovAdam, CautiousAdam, SparseAdam
