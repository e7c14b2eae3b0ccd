"""``float16``: 2 bytes an element, what ``state_format="auto"`` gives float16 parameters, as torch does.

Read and written as IEEE binary16; worst relative error 2^-11 down to 6e-5, then the grain is 6e-8.

What goes wrong: squares of gradients under 2.4e-4 vanish. Prefer ``state_format="float32"`` for float16 parameters.
"""

import torch

from adamas.formats.format import Plain

FLOAT16 = Plain("float16", torch.float16)
