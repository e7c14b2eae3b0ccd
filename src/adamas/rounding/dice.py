"""The random numbers of stochastic rounding: a hash, not a generator, so that nothing depends on the order of work.

Element i of operand k of a tensor gets, in step t, 16 bits that depend on (seed, name of the tensor, t, k, i) alone:
not on the number of threads, the layout, the engine or the device. ``csrc/numbers.h`` has the same functions in C++.

Sources: splitmix64 (Steele, Lea & Flood 2014) for the key; a two-round multiply-xorshift hash with the constants of
"lowbias32" (Wellons 2018, public domain) for the elements, the second half of the key entering between the rounds.
Every 32 elements, in row-major order, share one hash h. Element i of the first 16 has the lower half of
h + 2654445111 i mod 2^32, element 16 + i the upper half: 16 bits that go a golden section of the circle further each
time (2654445111 is 2^16 over the golden ratio in both halves). Each is uniform, but 16 neighbours are spread evenly:
as many of them are rounded up as should be.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch

_MASK32, _MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
_TWO_GOLDEN = 0x9E379E37  # 2^16 over the golden ratio, twice


def stream_key(seed: int, name: str) -> int:
    """Return the 64-bit key of a tensor's random numbers."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little")


class Dice(NamedTuple):
    """The random numbers for one operand of one tensor in one step.

    Attributes:
        stream: `stream_key` of the tensor.
        step: the step being taken.
        operand: 0 for the weight, 2, 3, ... for its slots.
        index: the row-major index of the elements in their tensor, where they are some of it; None: 0, 1, ...
    """

    stream: int
    step: int
    operand: int
    index: torch.Tensor | None = None

    def key(self) -> tuple[int, int]:
        """Return the two 32-bit halves of the key (splitmix64)."""
        z = (self.stream + 0x9E3779B97F4A7C15 * (self.step * 8 + self.operand + 1)) & _MASK64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
        z ^= z >> 31
        return z & _MASK32, z >> 32

    def roll(self, like: torch.Tensor) -> torch.Tensor:
        """Return uniform integers in 0..65535 (int64) of the shape of ``like``; row-major index is the counter.

        Example:
            >>> Dice(stream=1, step=1, operand=0).roll(torch.zeros(4)).tolist()
            [..., ..., ..., ...]
        """
        index = self.index
        if index is None:
            index = torch.arange(like.numel(), device=like.device, dtype=torch.int64).view(like.shape)
        low = index & _MASK32
        x = (self.hash((low >> 5) + (index >> 32) * 0x9E3779B9) + (low & 15) * _TWO_GOLDEN) & _MASK32
        return torch.where(low & 16 != 0, x >> 16, x & 0xFFFF)

    def hash(self, index: torch.Tensor) -> torch.Tensor:
        """Return uniform integers in 0..2^32 - 1 (int64) for integers."""
        a, b = self.key()
        x = (index + a) & _MASK32
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK32
        x = ((((x ^ (x >> 15)) + b) & _MASK32) * (0x846CA68B - (1 << 32))) & _MASK32
        return x ^ (x >> 16)
