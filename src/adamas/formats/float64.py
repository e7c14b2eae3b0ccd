"""``float64``: 8 bytes an element, what ``state_format="auto"`` gives float64 parameters, as torch does."""

import torch

from adamas.formats.format import Plain

FLOAT64 = Plain("float64", torch.float64)
