"""The update rules, printed from src/adamas/rules by `python -m adamas.rules.triton`. Do not edit.

Each takes the decayed weight x and the gradient g of some elements, the address c of the step's scalars and the slots;
it returns the new weight and slots.
"""

import triton
import triton.language as tl

from adamas.kernels.vocabulary import absolute, divide, lerp, maximum, negative, root, sign


@triton.jit
def sgd_rule(x, g, c):
    """u = lr g (Robbins & Monro 1951)."""
    c_lr = tl.load(c + 0)
    t0 = c_lr * g
    return x - t0


@triton.jit
def momentum_rule(x, g, c, momentum_buffer):
    """b = mu b + (1 - dampening) g, u = lr b (Polyak 1964, as in Sutskever et al. 2013)."""
    c_lr = tl.load(c + 0)
    c_mu = tl.load(c + 1)
    c_take = tl.load(c + 2)
    t0 = c_mu * momentum_buffer
    t1 = c_take * g
    t2 = t0 + t1
    t3 = c_lr * t2
    return x - t3, t2


@triton.jit
def nesterov_rule(x, g, c, momentum_buffer):
    """b = mu b + g, u = lr (g + mu b) (Nesterov 1983, in the form of Sutskever et al. 2013)."""
    c_lr = tl.load(c + 0)
    c_mu = tl.load(c + 1)
    c_take = tl.load(c + 2)
    t0 = c_mu * momentum_buffer
    t1 = c_take * g
    t2 = t0 + t1
    t3 = c_mu * t2
    t4 = g + t3
    t5 = c_lr * t4
    return x - t5, t2


@triton.jit
def adagrad_rule(x, g, c, sum):
    """s = s + g^2, u = lr_t g / (sqrt(s) + eps)."""
    c_lr = tl.load(c + 0)
    c_eps = tl.load(c + 1)
    t0 = g * g
    t1 = sum + t0
    t2 = c_lr * g
    t3 = root(t1)
    t4 = t3 + c_eps
    t5 = divide(t2, t4)
    return x - t5, t1


@triton.jit
def rmsprop_rule(x, g, c, square_avg):
    """v = alpha v + (1 - alpha) g^2, u = lr g / (sqrt(v) + eps)."""
    c_lr = tl.load(c + 0)
    c_alpha = tl.load(c + 1)
    c_beta = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    t0 = c_alpha * square_avg
    t1 = g * g
    t2 = c_beta * t1
    t3 = t0 + t2
    t4 = c_lr * g
    t5 = root(t3)
    t6 = t5 + c_eps
    t7 = divide(t4, t6)
    return x - t7, t3


@triton.jit
def rmspropmomentum_rule(x, g, c, square_avg, momentum_buffer):
    """v as in RMSprop; b = mu b + g / (sqrt(v) + eps), u = lr b."""
    c_lr = tl.load(c + 0)
    c_alpha = tl.load(c + 1)
    c_beta = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_mu = tl.load(c + 4)
    t0 = c_alpha * square_avg
    t1 = g * g
    t2 = c_beta * t1
    t3 = t0 + t2
    t4 = c_mu * momentum_buffer
    t5 = root(t3)
    t6 = t5 + c_eps
    t7 = divide(g, t6)
    t8 = t4 + t7
    t9 = c_lr * t8
    return x - t9, t3, t8


@triton.jit
def rmspropcentered_rule(x, g, c, square_avg, grad_avg):
    """a = alpha a + (1 - alpha) g, u = lr g / (sqrt(v - a^2) + eps)."""
    c_lr = tl.load(c + 0)
    c_alpha = tl.load(c + 1)
    c_beta = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    t0 = c_alpha * square_avg
    t1 = g * g
    t2 = c_beta * t1
    t3 = t0 + t2
    t4 = lerp(grad_avg, g, c_beta)
    t5 = c_lr * g
    t6 = t4 * t4
    t7 = t3 - t6
    t8 = maximum(t7, 0.0)
    t9 = root(t8)
    t10 = t9 + c_eps
    t11 = divide(t5, t10)
    return x - t11, t3, t4


@triton.jit
def rmspropcenteredmomentum_rule(x, g, c, square_avg, grad_avg, momentum_buffer):
    """v, a as in RMSpropCentered; b = mu b + g / (sqrt(v - a^2) + eps), u = lr b."""
    c_lr = tl.load(c + 0)
    c_alpha = tl.load(c + 1)
    c_beta = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_mu = tl.load(c + 4)
    t0 = c_alpha * square_avg
    t1 = g * g
    t2 = c_beta * t1
    t3 = t0 + t2
    t4 = lerp(grad_avg, g, c_beta)
    t5 = c_mu * momentum_buffer
    t6 = t4 * t4
    t7 = t3 - t6
    t8 = maximum(t7, 0.0)
    t9 = root(t8)
    t10 = t9 + c_eps
    t11 = divide(g, t10)
    t12 = t5 + t11
    t13 = c_lr * t12
    return x - t13, t3, t4, t12


@triton.jit
def adam_rule(x, g, c, exp_avg, exp_avg_sq):
    """m and v as above; u = lr m^ / (sqrt(v^) + eps), with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_step = tl.load(c + 4)
    c_unbias = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_step * t0
    t6 = root(t4)
    t7 = t6 * c_unbias
    t8 = t7 + c_eps
    t9 = divide(t5, t8)
    return x - t9, t0, t4


@triton.jit
def amsgrad_rule(x, g, c, exp_avg, exp_avg_sq, max_exp_avg_sq):
    """Adam with the largest v so far in the denominator."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_step = tl.load(c + 4)
    c_unbias = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = maximum(max_exp_avg_sq, t4)
    t6 = c_step * t0
    t7 = root(t5)
    t8 = t7 * c_unbias
    t9 = t8 + c_eps
    t10 = divide(t6, t9)
    return x - t10, t0, t4, t5


@triton.jit
def nadam_rule(x, g, c, exp_avg, exp_avg_sq):
    """u = lr (mu_{t+1} m / (1 - prod mu up to t+1) + (1 - mu_t) g / (1 - prod mu up to t)) / (sqrt(v^) + eps)."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_unbias = tl.load(c + 4)
    c_by_g = tl.load(c + 5)
    c_by_m = tl.load(c + 6)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = t4 * c_unbias
    t6 = root(t5)
    t7 = t6 + c_eps
    t8 = c_by_g * g
    t9 = divide(t8, t7)
    t10 = c_by_m * t0
    t11 = divide(t10, t7)
    return x - t9 - t11, t0, t4


@triton.jit
def radam_rule(x, g, c, exp_avg, exp_avg_sq):
    """u = lr m^ while rho_t <= 5, then lr r_t m^ sqrt(1 - beta2^t) / (sqrt(v) + eps)."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_adaptive = tl.load(c + 4)
    c_plain = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_adaptive * t0
    t6 = root(t4)
    t7 = t6 + c_eps
    t8 = divide(t5, t7)
    t9 = c_plain * t0
    t10 = t8 + t9
    return x - t10, t0, t4


@triton.jit
def adamax_rule(x, g, c, exp_avg, exp_inf):
    """n = max(beta2 n, |g| + eps), u = lr m / ((1 - beta1^t) n)."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_eps = tl.load(c + 2)
    c_step = tl.load(c + 3)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_inf
    t2 = absolute(g)
    t3 = t2 + c_eps
    t4 = maximum(t1, t3)
    t5 = c_step * t0
    t6 = divide(t5, t4)
    return x - t6, t0, t4


@triton.jit
def lion_rule(x, g, c, exp_avg):
    """u = lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g."""
    c_lr = tl.load(c + 0)
    c_beta1 = tl.load(c + 1)
    c_take1 = tl.load(c + 2)
    c_beta2 = tl.load(c + 3)
    c_take2 = tl.load(c + 4)
    t0 = c_beta1 * exp_avg
    t1 = c_take1 * g
    t2 = t0 + t1
    t3 = sign(t2)
    t4 = c_lr * t3
    t5 = c_beta2 * exp_avg
    t6 = c_take2 * g
    t7 = t5 + t6
    return x - t4, t7


@triton.jit
def insideadam_rule(x, g, c, exp_avg, exp_avg_sq):
    """Adam with eps_mode='inside', nesterov=False, cautious=False, amsgrad=False."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_by_m = tl.load(c + 3)
    c_unbias = tl.load(c + 4)
    c_eps = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_by_m * t0
    t6 = t4 * c_unbias
    t7 = t6 + c_eps
    t8 = root(t7)
    t9 = divide(t5, t8)
    return x - t9, t0, t4


@triton.jit
def atan2adam_rule(x, g, c, exp_avg, exp_avg_sq):
    """Adam with eps_mode='atan2', nesterov=False, cautious=False, amsgrad=False."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_by_m = tl.load(c + 3)
    c_unbias = tl.load(c + 4)
    c_lr = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_by_m * t0
    t6 = root(t4)
    t7 = t6 * c_unbias
    t8 = absolute(t5)
    t9 = maximum(t8, t7)
    t10 = negative(t8)
    t11 = negative(t7)
    t12 = maximum(t10, t11)
    t13 = negative(t12)
    t14 = maximum(t9, 1.1754943508222875e-38)
    t15 = divide(t13, t14)
    t16 = t15 * t15
    t17 = t16 * 0.002766283501324048
    t18 = t17 + -0.015731249120717487
    t19 = t16 * t18
    t20 = t19 + 0.04213762358729292
    t21 = t16 * t20
    t22 = t21 + -0.07456854825884664
    t23 = t16 * t22
    t24 = t23 + 0.10618370636914991
    t25 = t16 * t24
    t26 = t25 + -0.1419779779407795
    t27 = t16 * t26
    t28 = t27 + 0.1999187202910793
    t29 = t16 * t28
    t30 = t29 + -0.3333303670928615
    t31 = t16 * t30
    t32 = t31 + 0.9999999817886558
    t33 = t15 * t32
    t34 = t8 - t7
    t35 = sign(t34)
    t36 = t35 + 1.0
    t37 = t36 * 0.5
    t38 = sign(t5)
    t39 = 2.0 * t33
    t40 = 1.5707963267948966 - t39
    t41 = t37 * t40
    t42 = t33 + t41
    t43 = t38 * t42
    t44 = c_lr * t43
    return x - t44, t0, t4


@triton.jit
def nesterovadam_rule(x, g, c, exp_avg, exp_avg_sq):
    """Adam with eps_mode='add', nesterov=True, cautious=False, amsgrad=False."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_by_m = tl.load(c + 3)
    c_by_g = tl.load(c + 4)
    c_unbias = tl.load(c + 5)
    c_eps = tl.load(c + 6)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_by_m * t0
    t6 = c_by_g * g
    t7 = t5 + t6
    t8 = root(t4)
    t9 = t8 * c_unbias
    t10 = t9 + c_eps
    t11 = divide(t7, t10)
    return x - t11, t0, t4


@triton.jit
def cautiousadam_rule(x, g, c, exp_avg, exp_avg_sq):
    """Adam with eps_mode='add', nesterov=False, cautious=True, amsgrad=False."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_by_m = tl.load(c + 3)
    c_unbias = tl.load(c + 4)
    c_eps = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_by_m * t0
    t6 = root(t4)
    t7 = t6 * c_unbias
    t8 = t7 + c_eps
    t9 = divide(t5, t8)
    t10 = sign(t5)
    t11 = sign(g)
    t12 = t10 * t11
    t13 = maximum(t12, 0.0)
    t14 = t9 * t13
    return x - t14, t0, t4


@triton.jit
def sparseadam_rule(x, g, c, exp_avg, exp_avg_sq):
    """Adam as in ``torch.optim.SparseAdam``: u = lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)."""
    c_take1 = tl.load(c + 0)
    c_beta2 = tl.load(c + 1)
    c_take2 = tl.load(c + 2)
    c_eps = tl.load(c + 3)
    c_step = tl.load(c + 4)
    c_unbias = tl.load(c + 5)
    t0 = lerp(exp_avg, g, c_take1)
    t1 = c_beta2 * exp_avg_sq
    t2 = g * g
    t3 = c_take2 * t2
    t4 = t1 + t3
    t5 = c_step * t0
    t6 = root(t4)
    t7 = t6 * c_unbias
    t8 = t7 + c_eps
    t9 = divide(t5, t8)
    return x - t9, t0, t4


@triton.jit
def update(RULE: tl.constexpr, x, g, c, s0, s1, s2):
    """Return the new weight and slots by the rule of this number; it leaves slots that it has not."""
    if RULE == 0:
        x = sgd_rule(x, g, c)
    elif RULE == 1:
        x, s0 = momentum_rule(x, g, c, s0)
    elif RULE == 2:
        x, s0 = nesterov_rule(x, g, c, s0)
    elif RULE == 3:
        x, s0 = adagrad_rule(x, g, c, s0)
    elif RULE == 4:
        x, s0 = rmsprop_rule(x, g, c, s0)
    elif RULE == 5:
        x, s0, s1 = rmspropmomentum_rule(x, g, c, s0, s1)
    elif RULE == 6:
        x, s0, s1 = rmspropcentered_rule(x, g, c, s0, s1)
    elif RULE == 7:
        x, s0, s1, s2 = rmspropcenteredmomentum_rule(x, g, c, s0, s1, s2)
    elif RULE == 8:
        x, s0, s1 = adam_rule(x, g, c, s0, s1)
    elif RULE == 9:
        x, s0, s1, s2 = amsgrad_rule(x, g, c, s0, s1, s2)
    elif RULE == 10:
        x, s0, s1 = nadam_rule(x, g, c, s0, s1)
    elif RULE == 11:
        x, s0, s1 = radam_rule(x, g, c, s0, s1)
    elif RULE == 12:
        x, s0, s1 = adamax_rule(x, g, c, s0, s1)
    elif RULE == 13:
        x, s0 = lion_rule(x, g, c, s0)
    elif RULE == 14:
        x, s0, s1 = insideadam_rule(x, g, c, s0, s1)
    elif RULE == 15:
        x, s0, s1 = atan2adam_rule(x, g, c, s0, s1)
    elif RULE == 16:
        x, s0, s1 = nesterovadam_rule(x, g, c, s0, s1)
    elif RULE == 17:
        x, s0, s1 = cautiousadam_rule(x, g, c, s0, s1)
    elif RULE == 18:
        x, s0, s1 = sparseadam_rule(x, g, c, s0, s1)
    return x, s0, s1, s2
