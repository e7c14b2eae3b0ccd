"""The words of the rule language (rules/language.py) in Triton, each with the same bits as on torch tensors.

`power` alone is a word of ``scalars``.
"""

import triton
import triton.language as tl


@triton.jit
def root(x):
    """Return the square root, correctly rounded."""
    return tl.sqrt_rn(x)


@triton.jit
def divide(a, b):
    """Return the quotient, correctly rounded: ``/`` alone may be 2 ulp off."""
    return tl.div_rn(a, b)


@triton.jit
def negative(x):
    """Return -x, of zeros too: ``-x`` alone is 0 - x."""
    return x * -1.0


@triton.jit
def absolute(x):
    """Return the absolute value."""
    return tl.abs(x)


@triton.jit
def maximum(a, b):
    """Return the larger value; NaN if either is NaN."""
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def sign(x):
    """Return -1, 0 or 1; 0 for NaN."""
    return tl.where(x > 0.0, 1.0, 0.0) - tl.where(x < 0.0, 1.0, 0.0)


@triton.jit
def lerp(start, end, weight):
    """Return start + weight (end - start), in the form that is exactly end at weight = 1; weight is a scalar."""
    near = tl.abs(weight) < 0.5
    base = tl.where(near, start, end)
    factor = tl.where(near, weight, weight - 1.0)
    return base + factor * (end - start)


@triton.jit
def power(a, b):
    """Return a^b of float64 numbers, a >= 0: within a few ulp times |b log(a)|."""
    return tl.exp(b * tl.log(a))
