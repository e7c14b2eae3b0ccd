"""``split24`` and ``split32``: a 16-bit weight, and the next 8 or 16 bits of it in the optimizer's state.

The model computes with 16-bit weights; no float32 copy of them is kept, and small updates are not lost.

bfloat16, with b the float32's bits:

    hi = (b + 2^15) >> 16,   lo = b - hi 2^16 in -2^15 .. 2^15 - 1
    split32 keeps lo: training is bit-exact with float32 weights.
    split24 keeps clamp((lo + 128) >> 8, -128, 127): steps of 2^-15 of the weight, rounded to nearest.

(Ties go up in magnitude, not to even as in a cast: with ties to even two values would share a pair of hi and lo.)

float16, with ulp the distance from hi to the next float16:

    hi = nearest(x),   lo = round(2^15 (x - hi) / ulp), or clamp(round(2^8 (x - hi) / ulp), -127, 127)

which is exact for split32 where float16 is normal, 6e-5 and up.

Moments of 16 bits are rounded at random, as with ``stochastic``. Other weights than 16-bit ones are written plainly.

What goes wrong: a weight that is changed from outside (``p.copy_(...)``) keeps the bits below from before, half a grain
of the 16-bit weight at most.

Sources: splitting the float32 itself is "split SGD" of Kalamkar et al. 2020, "Optimizing deep learning recommender
systems' training on CPU cluster architectures", arXiv 2005.04680; Zamirai et al. 2020, "Revisiting BFloat16 training",
arXiv 2010.06192, keep 16 bits by Kahan's summation.
"""

from __future__ import annotations

import torch

from adamas.rounding.dice import Dice
from adamas.rounding.rounding import Rounding
from adamas.rounding.stochastic import Stochastic

_STOCHASTIC = Stochastic()


class Split(Rounding):
    """Keep the bits below a 16-bit weight.

    Args:
        name: what ``rounding=`` calls it.
        low: int8 or int16.
    """

    def __init__(self, name: str, low: torch.dtype) -> None:
        self.name, self.low = name, low

    @property
    def moments(self) -> Rounding:
        """Moments are rounded at random."""
        return _STOCHASTIC

    def read(self, weight: torch.Tensor, low: torch.Tensor | None, compute: torch.dtype) -> torch.Tensor:
        """Return the weight with its bits below."""
        assert low is not None
        if weight.dtype == torch.bfloat16:
            bits = weight.float().contiguous().view(torch.int32)
            joined = bits + low.int() * (1 if low.dtype == torch.int16 else 256)
            return joined.view(torch.float32).to(compute)
        hi = weight.float()
        return (hi + low * (_ulp(weight) * (2.0**-15 if low.dtype == torch.int16 else 2.0**-8))).to(compute)

    def write(self, target: torch.Tensor, values: torch.Tensor, dice: Dice, low: torch.Tensor | None = None) -> None:
        """Write the upper 16 bits into ``target``, those below into ``low``."""
        assert low is not None
        x = values.float()
        if target.dtype == torch.bfloat16:
            self._write_bfloat16(target, x, low)
            return
        target.copy_(x)
        error = torch.where(target.isfinite(), x - target.float(), 0.0)
        if low.dtype == torch.int16:
            low.copy_(torch.round(error * (2.0**15 / _ulp(target))))
        else:
            low.copy_(torch.round(error * (2.0**8 / _ulp(target))).clamp(-127.0, 127.0))

    def _write_bfloat16(self, target: torch.Tensor, x: torch.Tensor, low: torch.Tensor) -> None:
        bits = x.contiguous().view(torch.int32).long()
        hi = (bits + 0x8000) >> 16
        lo = bits - (hi << 16)
        hi, lo = torch.where(x.isnan(), 0x7FC0, hi), torch.where(x.isnan(), 0, lo)
        target.copy_(hi.to(torch.int16).view(torch.bfloat16))
        low.copy_(lo if low.dtype == torch.int16 else ((lo + 128) >> 8).clamp(-128, 127))


def _ulp(x: torch.Tensor) -> torch.Tensor:
    """Return the distance from float16 numbers to the next, as float32."""
    exponent = (x.contiguous().view(torch.int16).int() >> 10 & 31).clamp_min(1)
    return ((exponent + 102) << 23).view(torch.float32)
