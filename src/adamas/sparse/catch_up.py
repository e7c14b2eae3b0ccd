"""Catches rows up with the dense optimizer, by torch: the numbers of the table meet those of the elements.

    theta <- W_t/W_s theta - W_t P_0 m / (sqrt(v) + eps c),    m <- b1^k m,    v <- b2^k v,    c = P_1/P_0

which is Gauss's quadrature by one point: the steps' factors of eps lie around their mean c with the variance
s^2 = P_2/P_0 - c^2, and as 1 / (1 + x t) is convex, with x = eps / sqrt(v), at most x^2 s^2 of a movement is left out.
Where that is not negligible, which is where v is less than a number of its row, four terms of the series are taken,

    theta <- W_t/W_s theta - u W_t (P_0 - x P_1 + x^2 P_2 - x^3 P_3),    u = m / sqrt(v)

and where x^4 P_4 is not negligible beside P_0 either (the series alternates: that bounds what is left out), the steps
are added up one by one, the smallest first:

    theta <- W_t/W_s theta - sum_j rate_i b1^j W_t/W_i m / (sqrt(v) b2^(j/2) / r_i + eps)

``csrc/sparse.h`` has the same in C++, to the bit. `adamas.sparse.table` says where the numbers come from.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import torch

from adamas.rules import sqrt
from adamas.sparse.table import TERMS, Table


@dataclass(slots=True)
class Missed:
    """What some rows have missed: numbers of each of them (float64).

    Attributes:
        birth: their last steps, counted from the table's start.
        keep: W_t/W_s.
        sums: W_t P_0 .. W_t P_3.
        limit: the least square of the denominator that the series is for.
        shift: eps c.
        clear: the least square that one point is for.
        power1: b1^k.
        power2: b2^k.
    """

    birth: torch.Tensor
    keep: torch.Tensor
    sums: torch.Tensor
    limit: torch.Tensor
    shift: torch.Tensor
    clear: torch.Tensor
    power1: torch.Tensor
    power2: torch.Tensor


def missed(table: Table, last: torch.Tensor) -> Missed:
    """Return what rows last stepped at these steps have missed."""
    birth, now = last.cpu().long() - table.start, table.now - table.start  # the table is on the host
    kept, power1, power2 = _numbers(now, table.kept, table.power1, table.power2)
    sums = table.sums[birth]
    moves = sums[:, 0] != 0
    first = torch.where(moves, sums[:, 0], 1.0)
    mean = sums[:, 1] / first
    spread = sums[:, 2] / first - mean * mean
    rest = sums[:, TERMS] / (table.tolerance * first)
    return Missed(
        birth=birth,
        keep=kept[now] / kept[birth],
        sums=sums[:, :TERMS] * kept[now],
        limit=torch.where(moves, (table.eps * table.eps) * sqrt(rest), 0.0),
        shift=torch.where(moves, mean * table.eps, 0.0),
        clear=torch.where(moves, spread * ((table.eps * table.eps) / table.tolerance), 0.0),
        power1=power1[now - birth],
        power2=power2[now - birth],
    )


def catch_up(
    table: Table, what: Missed, x: torch.Tensor, m: torch.Tensor, v: torch.Tensor, top: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return weights and moments as they would be now.

    Args:
        table: the sums.
        what: what the rows have missed.
        x: weights, a row each, in the type of the computation; likewise the others.
        m: first moments.
        v: second moments.
        top: the largest v so far, for AMSGrad.
    """
    least = torch.finfo(x.dtype).tiny  # squares of zero are not clear
    clear = torch.where(what.clear <= least, least, what.clear)
    numbers = (what.keep, what.power1, what.power2, what.limit, what.shift, clear)
    keep, power1, power2, limit, shift, clear = (each.to(x.device, x.dtype).unsqueeze(1) for each in numbers)
    p = what.sums.to(x.device, x.dtype).unsqueeze(2).unbind(1)
    square = v if top is None else top
    root = sqrt(square)
    live = root > 0
    inverse = torch.ones_like(root) / torch.where(live, root, 1.0)
    u = torch.where(live, m * inverse, 0.0)
    e = torch.where(live, inverse * table.eps, 0.0)
    total = p[TERMS - 1].expand_as(u)
    for n in range(TERMS - 2, -1, -1):
        total = p[n] - e * total
    moved = torch.where(square >= clear, (p[0] * m) / (root + shift), u * total)
    limit = torch.where(clear < limit, clear, limit)
    moving = m != 0
    far = (~(square >= limit) & ((square != 0) | moving)) | ((square == 0) & moving)
    rows = far.any(dim=1)
    if rows.any():
        steps = _add_up(table, what.birth[rows.cpu()], m[rows], root[rows])
        moved[rows] = torch.where(far[rows], steps, moved[rows])
    y = keep * x - moved
    return torch.where(y == x, x, y), power1 * m, power2 * v


def _add_up(table: Table, birth: torch.Tensor, m: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """Return how far rows would have moved, step by step."""
    now = table.now - table.start
    kept, rate, unbias = _numbers(now, table.kept, table.rate, table.unbias)
    moved = torch.zeros_like(m)
    for j in range(min(now - int(birth.min()), table.reach), 0, -1):
        there = birth + j <= now
        i = (birth + j).clamp_max(now)
        a = torch.where(there, rate[i] * table.power1[j] * (kept[now] / kept[i]), 0.0)
        b = unbias[i] * table.half2[j]
        a, b = (each.to(m.device, m.dtype).unsqueeze(1) for each in (a, b))
        step = (a * m) / (root * b + torch.full_like(m, table.eps))
        moved = torch.where(there.to(m.device).unsqueeze(1), moved + step, moved)
    return moved


def _numbers(now: int, *arrays: array) -> list[torch.Tensor]:
    """Return a table's numbers of the steps up to now."""
    return [torch.tensor(each[: now + 1], dtype=torch.float64) for each in arrays]
