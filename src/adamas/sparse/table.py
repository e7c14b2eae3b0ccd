"""What all rows that were last stepped at the same step have in common: sums over the steps that they have missed.

A row last stepped at s, with moments m and v, would under AdamW with zero gradients have moved in step i = s + j by

    theta = keep_i theta - rate_i b1^j m / (b2^(j/2) sqrt(v) / r_i + eps),
    rate_i = lr_i / (1 - b1^i),  r_i = sqrt(1 - b2^i)

Expanded in powers of x = eps / sqrt(v), and summed up to step t,

    theta_t = W_t/W_s theta_s - W_t m/sqrt(v) sum_n (-x)^n P_n(s, t),      W_t = keep_1 ... keep_t
    P_n(s, t) = sum_{j = 1 .. t-s} rate_i r_i^(n+1) b1^j b2^(-(n+1)j/2) / W_i

P_n is made of numbers of the host alone. From step t - 1 to t it takes one multiplication and one addition, of all
births s at once; and only of those at most ``reach`` steps ago, for terms shrink as (b1/sqrt(b2))^j. AMSGrad divides by
a maximum that does not decay, and has b1^j r_i^(n+1) instead.

Memory: 9 numbers of float64 a step since the last flush.
"""

from __future__ import annotations

import math
from array import array
from types import SimpleNamespace

import torch

TERMS = 4  # of the series; one sum more bounds what is left out
COLUMNS = TERMS + 1
_ROOM = 1024  # steps that there is room for at first
_TINY = 1e-150  # W may not vanish: rows are flushed before it does


class Table:
    """The sums for every step since a row may have been stepped last.

    Args:
        now: the step that all rows are at.
        h: hyper-parameters: beta1, beta2 and eps hold as long as the table does.
        constant: whether the denominator stays as it is while rows are not touched (AMSGrad).
        tolerance: how small terms may be, beside their sum, to be left out.

    Attributes:
        start: the step that all rows were at when the table was made.
        now: the step it has come to.
        reach: how many steps after its last a row still moves.
        sums: P_0 .. P_4 of the births start, start + 1, ... (float64); those behind the reach no longer change.
        kept: W of start, start + 1, ... over that of start. These arrays have room for steps to come, of zeros, so that
            they seldom move.
        rate: rate_i of the same steps; its first number means nothing, as no row has missed that step.
        unbias: 1 / r_i of the same steps.
        power1: b1^k for k = 0, 1, ...
        power2: b2^k.
        half2: b2^(k/2) for k up to the reach; all 1 if the denominator is constant.
        next: numbers of the step that comes, from `begin` on: rate_i, r_i, keep_i, b1^k and b2^k.
        powers: what terms shrink by, b1^j b2^(-(n+1)j/2), for j = reach .. 1 (a row of 5 each, float64).
    """

    def __init__(self, now: int, h: SimpleNamespace, constant: bool, tolerance: float) -> None:
        self.start = self.now = now
        self.beta1, self.beta2, self.eps, self.constant, self.tolerance = h.beta1, h.beta2, h.eps, constant, tolerance
        decay = 1.0 if constant else math.sqrt(h.beta2)
        ratio = h.beta1 / decay
        self.reach = max(1, math.ceil(math.log(tolerance * (1 - ratio)) / math.log(ratio))) if ratio > 0 else 1
        self.sums = torch.zeros(_ROOM, COLUMNS, dtype=torch.float64)
        self.kept, self.rate, self.unbias, self.power1, self.power2 = (array("d", bytes(8 * _ROOM)) for _ in range(5))
        for numbers in (self.kept, self.unbias, self.power1, self.power2):
            numbers[0] = 1.0
        self.next = array("d", bytes(8 * 5))
        self.half2 = array("d", [decay**j for j in range(self.reach + 1)])
        steps = torch.arange(self.reach, 0, -1, dtype=torch.float64).unsqueeze(1)
        # exp(j log b1 - (n + 1) j log sqrt b2), for j = reach .. 1
        exponent = math.log(h.beta1) if h.beta1 > 0 else -math.inf
        self.powers = torch.exp(steps * exponent - steps * torch.arange(1, COLUMNS + 1) * math.log(decay))

    def begin(self, h: SimpleNamespace, step: float) -> bool:
        """Note the numbers of the step that comes, and make room for it; return False if it is not for this table.

        Then its betas or eps are others, or it is no next one, or W has become too small.

        Args:
            h: hyper-parameters of the step: its lr, and keep, what is left of a weight, beside betas and eps.
            step: which one it is.
        """
        beta1, beta2, at, numbers = self.beta1, self.beta2, self.now + 1 - self.start, self.next
        if h.beta1 != beta1 or h.beta2 != beta2 or h.eps != self.eps or step != self.now + 1:
            return False
        if self.kept[at - 1] < _TINY:
            return False
        if at >= len(self.kept):
            self._make_room()
        numbers[0], numbers[1] = h.lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
        numbers[2], numbers[3], numbers[4] = h.keep, beta1**at, beta2**at
        return True

    def advance(self) -> None:
        """Take the step that was begun into the sums; ``adamas_advance`` does the same in less time."""
        self.now += 1
        at, (rate, r, keep, power1, power2) = self.now - self.start, self.next
        self.kept[at] = self.kept[at - 1] * keep
        self.rate[at], self.unbias[at], self.power1[at], self.power2[at] = rate, 1 / r, power1, power2
        power, factors = rate / self.kept[at], []
        for _ in range(COLUMNS):
            power *= r
            factors.append(power)
        first = max(0, at - self.reach)
        own = self.powers[self.reach - (at - first) :]
        self.sums[first:at] += own * torch.tensor(factors, dtype=torch.float64)

    def _make_room(self) -> None:
        """Double the room for steps."""
        self.sums = torch.cat([self.sums, torch.zeros_like(self.sums)])
        for numbers in (self.kept, self.rate, self.unbias, self.power1, self.power2):
            numbers.frombytes(bytes(8 * len(numbers)))
