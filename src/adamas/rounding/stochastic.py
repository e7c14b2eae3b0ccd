"""``stochastic``: round up or down at random, with the probabilities that make the mean exact.

bfloat16: add 16 random bits below the kept ones, truncate. float16: the same with 13 bits; below 2^-14, where float16
has a fixed grain, count grains of 2^-24 and add a fraction. A value too large for the dtype becomes infinity, NaN stays
NaN. Wider targets get a plain copy.

Source: Gupta et al. 2015, arXiv 1502.02551, section 3; the random bits are those of `adamas.rounding.dice`.
"""

import torch

from adamas.rounding.dice import Dice
from adamas.rounding.rounding import Rounding


class Stochastic(Rounding):
    """Round 16-bit targets at random, without bias."""

    name = "stochastic"

    def write(self, target: torch.Tensor, values: torch.Tensor, dice: Dice, low: torch.Tensor | None = None) -> None:
        """Write ``values`` into ``target``, using 16 random bits an element."""
        if target.dtype == torch.bfloat16:
            rounded = _to_bfloat16(values.float(), dice.roll(values))
        elif target.dtype == torch.float16:
            rounded = _to_float16(values.float(), dice.roll(values) >> 3)
        else:
            target.copy_(values)
            return
        # .copy_, not .view: the target may have any layout.
        target.copy_(_low16(rounded).view(target.dtype))


def _bits(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.int32).to(torch.int64) & 0xFFFFFFFF


def _low16(codes: torch.Tensor) -> torch.Tensor:
    return torch.where(codes >= 0x8000, codes - 0x10000, codes).to(torch.int16)


def _to_bfloat16(x: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    bits = _bits(x)
    return torch.where(x.isnan(), 0x7FC0, (bits + random) >> 16)


def _to_float16(x: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    magnitude = _bits(x) & 0x7FFFFFFF
    normal = ((magnitude + random - (112 << 23)) >> 13).clamp_max(0x7C00)
    # Only the small ones are used, and only they may be converted to an integer.
    grains = (x.abs() * 2.0**24 + random * 2.0**-13).clamp_max(2048.0).nan_to_num(0.0).to(torch.int64)
    code = torch.where(magnitude < 0x38800000, grains, normal)
    code = torch.where(magnitude >= 0x47800000, 0x7C00, code)
    code = torch.where(x.isnan(), 0x7E00, code)
    return code | torch.where(torch.signbit(x), 0x8000, 0)
