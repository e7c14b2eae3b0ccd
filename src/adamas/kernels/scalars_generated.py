"""The rules' scalars, printed from src/adamas/rules by `python -m adamas.rules.triton_scalars`. Do not edit.

Each takes for some tensors the addresses of their hyper-parameters h (float64) and of their scalars c (float32), which
it writes, the step t, and the counter besides the step, if the rule has one, which it returns as it is after this step.
"""

import triton
import triton.language as tl

from adamas.kernels.vocabulary import power


@triton.jit
def rmsprop_scalars(h, c, t, mask):
    """v = alpha v + (1 - alpha) g^2, u = lr g / (sqrt(v) + eps)."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_alpha = tl.load(h + 1, mask=mask, other=0.5)
    h_eps = tl.load(h + 2, mask=mask, other=0.5)
    n0 = 1.0 - h_alpha
    tl.store(c + 0, h_lr.to(tl.float32), mask=mask)
    tl.store(c + 1, h_alpha.to(tl.float32), mask=mask)
    tl.store(c + 2, n0.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)


@triton.jit
def rmspropmomentum_scalars(h, c, t, mask):
    """v as in RMSprop; b = mu b + g / (sqrt(v) + eps), u = lr b."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_alpha = tl.load(h + 1, mask=mask, other=0.5)
    h_eps = tl.load(h + 2, mask=mask, other=0.5)
    h_momentum = tl.load(h + 3, mask=mask, other=0.5)
    n0 = 1.0 - h_alpha
    tl.store(c + 0, h_lr.to(tl.float32), mask=mask)
    tl.store(c + 1, h_alpha.to(tl.float32), mask=mask)
    tl.store(c + 2, n0.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)
    tl.store(c + 4, h_momentum.to(tl.float32), mask=mask)


@triton.jit
def rmspropcentered_scalars(h, c, t, mask):
    """a = alpha a + (1 - alpha) g, u = lr g / (sqrt(v - a^2) + eps)."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_alpha = tl.load(h + 1, mask=mask, other=0.5)
    h_eps = tl.load(h + 2, mask=mask, other=0.5)
    n0 = 1.0 - h_alpha
    tl.store(c + 0, h_lr.to(tl.float32), mask=mask)
    tl.store(c + 1, h_alpha.to(tl.float32), mask=mask)
    tl.store(c + 2, n0.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)


@triton.jit
def rmspropcenteredmomentum_scalars(h, c, t, mask):
    """v, a as in RMSpropCentered; b = mu b + g / (sqrt(v - a^2) + eps), u = lr b."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_alpha = tl.load(h + 1, mask=mask, other=0.5)
    h_eps = tl.load(h + 2, mask=mask, other=0.5)
    h_momentum = tl.load(h + 3, mask=mask, other=0.5)
    n0 = 1.0 - h_alpha
    tl.store(c + 0, h_lr.to(tl.float32), mask=mask)
    tl.store(c + 1, h_alpha.to(tl.float32), mask=mask)
    tl.store(c + 2, n0.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)
    tl.store(c + 4, h_momentum.to(tl.float32), mask=mask)


@triton.jit
def adam_scalars(h, c, t, mask):
    """m and v as above; u = lr m^ / (sqrt(v^) + eps), with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    n0 = 1.0 - h_beta1
    n1 = 1.0 - h_beta2
    n2 = power(h_beta1, t)
    n3 = 1.0 - n2
    n4 = h_lr / n3
    n5 = power(h_beta2, t)
    n6 = 1.0 - n5
    n7 = tl.sqrt(n6)
    n8 = 1.0 / n7
    tl.store(c + 0, n0.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, n1.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)
    tl.store(c + 4, n4.to(tl.float32), mask=mask)
    tl.store(c + 5, n8.to(tl.float32), mask=mask)


@triton.jit
def amsgrad_scalars(h, c, t, mask):
    """Adam with the largest v so far in the denominator."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    n0 = 1.0 - h_beta1
    n1 = 1.0 - h_beta2
    n2 = power(h_beta1, t)
    n3 = 1.0 - n2
    n4 = h_lr / n3
    n5 = power(h_beta2, t)
    n6 = 1.0 - n5
    n7 = tl.sqrt(n6)
    n8 = 1.0 / n7
    tl.store(c + 0, n0.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, n1.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)
    tl.store(c + 4, n4.to(tl.float32), mask=mask)
    tl.store(c + 5, n8.to(tl.float32), mask=mask)


@triton.jit
def nadam_scalars(h, c, t, mask, mu_product):
    """u = lr (mu_{t+1} m / (1 - prod mu up to t+1) + (1 - mu_t) g / (1 - prod mu up to t)) / (sqrt(v^) + eps)."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    h_momentum_decay = tl.load(h + 4, mask=mask, other=0.5)
    a0 = t * h_momentum_decay
    a1 = power(tl.full(t.shape, 0.96, tl.float64), a0)
    a2 = 0.5 * a1
    a3 = 1.0 - a2
    a4 = h_beta1 * a3
    a5 = (mu_product.to(tl.float32) * a4.to(tl.float32)).to(tl.float64)
    mu_product = a5
    n0 = t * h_momentum_decay
    n1 = power(tl.full(t.shape, 0.96, tl.float64), n0)
    n2 = 0.5 * n1
    n3 = 1.0 - n2
    n4 = h_beta1 * n3
    n5 = t + 1.0
    n6 = n5 * h_momentum_decay
    n7 = power(tl.full(t.shape, 0.96, tl.float64), n6)
    n8 = 0.5 * n7
    n9 = 1.0 - n8
    n10 = h_beta1 * n9
    n11 = 1.0 - h_beta1
    n12 = 1.0 - h_beta2
    n13 = power(h_beta2, t)
    n14 = 1.0 - n13
    n15 = 1.0 / n14
    n16 = 1.0 - n4
    n17 = h_lr * n16
    n18 = 1.0 - mu_product
    n19 = n17 / n18
    n20 = h_lr * n10
    n21 = mu_product * n10
    n22 = 1.0 - n21
    n23 = n20 / n22
    tl.store(c + 0, n11.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, n12.to(tl.float32), mask=mask)
    tl.store(c + 3, h_eps.to(tl.float32), mask=mask)
    tl.store(c + 4, n15.to(tl.float32), mask=mask)
    tl.store(c + 5, n19.to(tl.float32), mask=mask)
    tl.store(c + 6, n23.to(tl.float32), mask=mask)
    return mu_product


@triton.jit
def radam_scalars(h, c, t, mask):
    """u = lr m^ while rho_t <= 5, then lr r_t m^ sqrt(1 - beta2^t) / (sqrt(v) + eps)."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    n0 = power(h_beta1, t)
    n1 = 1.0 - n0
    n2 = power(h_beta2, t)
    n3 = 1.0 - n2
    n4 = 1.0 - h_beta2
    n5 = 2.0 / n4
    n6 = n5 - 1.0
    n7 = 2.0 * t
    n8 = power(h_beta2, t)
    n9 = n7 * n8
    n10 = n9 / n3
    n11 = n6 - n10
    n12 = n11 > 5.0
    ny13 = n11 - 4.0
    ny14 = n11 - 2.0
    ny15 = ny13 * ny14
    ny16 = ny15 * n6
    ny17 = n6 - 4.0
    ny18 = n6 - 2.0
    ny19 = ny17 * ny18
    ny20 = ny19 * n11
    ny21 = ny16 / ny20
    ny22 = tl.sqrt(ny21)
    ny23 = 1.0 - h_beta1
    ny24 = 1.0 - h_beta2
    ny25 = h_lr / n1
    ny26 = ny25 * ny22
    ny27 = tl.sqrt(n3)
    ny28 = ny26 * ny27
    nn13 = 1.0 - h_beta1
    nn14 = 1.0 - h_beta2
    nn15 = h_lr / n1
    nn16 = nn15 * 0.0
    nn17 = tl.sqrt(n3)
    nn18 = nn16 * nn17
    nn19 = h_lr / n1
    tl.store(c + 0, tl.where(n12, ny23, nn13).to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, tl.where(n12, ny24, nn14).to(tl.float32), mask=mask)
    tl.store(c + 3, tl.where(n12, h_eps, tl.full(t.shape, 1.0, tl.float64)).to(tl.float32), mask=mask)
    tl.store(c + 4, tl.where(n12, ny28, nn18).to(tl.float32), mask=mask)
    tl.store(c + 5, tl.where(n12, tl.full(t.shape, 0.0, tl.float64), nn19).to(tl.float32), mask=mask)


@triton.jit
def adamax_scalars(h, c, t, mask):
    """n = max(beta2 n, |g| + eps), u = lr m / ((1 - beta1^t) n)."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    n0 = 1.0 - h_beta1
    n1 = power(h_beta1, t)
    n2 = 1.0 - n1
    n3 = h_lr / n2
    tl.store(c + 0, n0.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, h_eps.to(tl.float32), mask=mask)
    tl.store(c + 3, n3.to(tl.float32), mask=mask)


@triton.jit
def insideadam_scalars(h, c, t, mask):
    """Adam with eps_mode='inside', nesterov=False, cautious=False, amsgrad=False."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    n0 = power(h_beta1, t)
    n1 = 1.0 - n0
    n2 = 1.0 / n1
    n3 = power(h_beta2, t)
    n4 = 1.0 - n3
    n5 = 1.0 / n4
    n6 = h_lr * n2
    n8 = h_eps * h_eps
    n10 = 1.0 - h_beta1
    n11 = 1.0 - h_beta2
    tl.store(c + 0, n10.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, n11.to(tl.float32), mask=mask)
    tl.store(c + 3, n6.to(tl.float32), mask=mask)
    tl.store(c + 4, n5.to(tl.float32), mask=mask)
    tl.store(c + 5, n8.to(tl.float32), mask=mask)


@triton.jit
def atan2adam_scalars(h, c, t, mask):
    """Adam with eps_mode='atan2', nesterov=False, cautious=False, amsgrad=False."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    n0 = power(h_beta1, t)
    n1 = 1.0 - n0
    n2 = 1.0 / n1
    n3 = power(h_beta2, t)
    n4 = 1.0 - n3
    n5 = 1.0 / n4
    n6 = h_lr * 4.0
    n7 = n6 / 3.141592653589793
    n10 = tl.sqrt(n5)
    n11 = 1.0 - h_beta1
    n12 = 1.0 - h_beta2
    tl.store(c + 0, n11.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, n12.to(tl.float32), mask=mask)
    tl.store(c + 3, n2.to(tl.float32), mask=mask)
    tl.store(c + 4, n10.to(tl.float32), mask=mask)
    tl.store(c + 5, n7.to(tl.float32), mask=mask)


@triton.jit
def nesterovadam_scalars(h, c, t, mask):
    """Adam with eps_mode='add', nesterov=True, cautious=False, amsgrad=False."""
    h_lr = tl.load(h + 0, mask=mask, other=0.5)
    h_beta1 = tl.load(h + 1, mask=mask, other=0.5)
    h_beta2 = tl.load(h + 2, mask=mask, other=0.5)
    h_eps = tl.load(h + 3, mask=mask, other=0.5)
    n0 = power(h_beta1, t)
    n1 = 1.0 - n0
    n2 = 1.0 / n1
    n3 = power(h_beta2, t)
    n4 = 1.0 - n3
    n5 = 1.0 / n4
    n6 = t + 1.0
    n7 = power(h_beta1, n6)
    n8 = 1.0 - n7
    n9 = h_beta1 / n8
    n10 = 1.0 - h_beta1
    n11 = n10 * n2
    n12 = h_lr * n9
    n13 = h_lr * n11
    n14 = tl.sqrt(n5)
    n17 = 1.0 - h_beta1
    n18 = 1.0 - h_beta2
    tl.store(c + 0, n17.to(tl.float32), mask=mask)
    tl.store(c + 1, h_beta2.to(tl.float32), mask=mask)
    tl.store(c + 2, n18.to(tl.float32), mask=mask)
    tl.store(c + 3, n12.to(tl.float32), mask=mask)
    tl.store(c + 4, n13.to(tl.float32), mask=mask)
    tl.store(c + 5, n14.to(tl.float32), mask=mask)
    tl.store(c + 6, h_eps.to(tl.float32), mask=mask)


@triton.jit
def scalars(RULE: tl.constexpr, h, c, t, mask, other):
    """Write the scalars of the rule of this number; return the counter besides the step."""
    if RULE == 4:
        rmsprop_scalars(h, c, t, mask)
    elif RULE == 5:
        rmspropmomentum_scalars(h, c, t, mask)
    elif RULE == 6:
        rmspropcentered_scalars(h, c, t, mask)
    elif RULE == 7:
        rmspropcenteredmomentum_scalars(h, c, t, mask)
    elif RULE == 8:
        adam_scalars(h, c, t, mask)
    elif RULE == 9:
        amsgrad_scalars(h, c, t, mask)
    elif RULE == 10:
        other = nadam_scalars(h, c, t, mask, other)
    elif RULE == 11:
        radam_scalars(h, c, t, mask)
    elif RULE == 12:
        adamax_scalars(h, c, t, mask)
    elif RULE == 14:
        insideadam_scalars(h, c, t, mask)
    elif RULE == 15:
        atan2adam_scalars(h, c, t, mask)
    elif RULE == 16:
        nesterovadam_scalars(h, c, t, mask)
    return other
