"""``float32``: 4 bytes an element, no code map. Worst relative error 2^-24 = 6e-8. Nothing goes wrong with it."""

import torch

from adamas.formats.format import Plain

FLOAT32 = Plain("float32", torch.float32)
