"""``bfloat16``: 2 bytes an element, the upper half of a float32.

Code map: bits = float32 bits; stored = (bits + r) >> 16, with r uniform in 0..65535 (stochastic rounding, the default)
or r = 32767 + lowest kept bit (nearest, ties to even); read = stored << 16. NaN stays NaN.

Worst relative error 2^-8 = 0.4 % (nearest), 2^-7 (stochastic, unbiased).

What goes wrong: with nearest rounding a moment stalls as soon as one step changes it by less than half a grain. A
second moment at beta2 = 0.999 moves 0.1 % a step, so it stops at a fraction of its true value: use stochastic rounding.

Source: Gupta et al. 2015, "Deep learning with limited numerical precision", arXiv 1502.02551, section 3.
"""

import torch

from adamas.formats.format import Plain

BFLOAT16 = Plain("bfloat16", torch.bfloat16)
