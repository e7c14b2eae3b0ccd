"""Whether a step is taken and by how much it is clipped, decided on the device: what guards do for captured steps."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from adamas.engines.triton_sums import GpuSquares


class Decided(NamedTuple):
    """What was decided in a step, brought to the host.

    Attributes:
        taken: whether the step was taken.
        clip_factor: what clipping multiplied the gradients with.
        inverse_scale: 1 over the gradient scaler's scale.
        squares: the sum of squares of each gradient as it was given; None if no guard asked for it.
    """

    taken: bool
    clip_factor: float
    inverse_scale: float
    squares: array | None


class Asked(NamedTuple):
    """What a step's guards and gradient scaler ask of the device.

    Attributes:
        found_inf: what a gradient scaler found; None without one.
        scale: what it multiplied the loss with.
        skip: whether gradients that are not finite take no step.
        clip_norm: the largest norm of all gradients; None: any.
        skipped: counts steps that are not taken (int64).
    """

    found_inf: Any
    scale: Any
    skip: bool
    clip_norm: float | None
    skipped: torch.Tensor


class Decision:
    """Decides about a step, in one kernel after the sums of squares.

    Args:
        squares: for each batch what sums the squares of its gradients; None where a gradient has gaps.
        device: where everything is.

    Attributes:
        go: 1 if the step is taken, else 0 (int64).
        seen: what gradients are multiplied with; 1 / scale; the sum of their squares (float64).
    """

    def __init__(self, squares: Sequence[GpuSquares | None], device: torch.device) -> None:
        self._squares = squares
        self._asked = False
        self._sums = torch.zeros(sum(each.blocks for each in squares if each), dtype=torch.float64, device=device)
        self._limit = torch.zeros((), dtype=torch.float64, device=device)
        self._never = torch.zeros((), dtype=torch.float32, device=device)
        self._one = torch.ones((), dtype=torch.float32, device=device)
        self.go = torch.ones((), dtype=torch.int64, device=device)
        self.seen = torch.ones(3, dtype=torch.float64, device=device)

    def make(self, addresses: Sequence[torch.Tensor], asked: Asked) -> None:
        """Decide.

        Args:
            addresses: for each batch those of its gradients.
            asked: by what.
        """
        from adamas.kernels.captured import decide_kernel

        self._asked = asked.skip or asked.clip_norm is not None
        if self._asked:
            self._sum(addresses)
        if asked.clip_norm is not None:
            self._limit.fill_(asked.clip_norm)
        found, scaled = _number(asked.found_inf, self._never), _number(asked.scale, self._one)
        kernel: Any = decide_kernel[(1,)]
        with torch.cuda.device_of(self.go):
            kernel(
                self._sums, len(self._sums), found, scaled, self._limit, self.go, self.seen, asked.skipped,
                SKIP=asked.skip, CLIP=asked.clip_norm is not None, enable_fp_fusion=False,
            )  # fmt: skip

    def decided(self) -> Decided:
        """Return what was decided in the last step, or in the last replay; the host waits for it."""
        factor, inverse_scale, _ = self.seen.tolist()
        squares = array("d") if self._asked else None
        if squares is not None:
            for each, sums in self._parts():
                squares += each.added(sums)
        return Decided(bool(self.go.item()), factor / inverse_scale, inverse_scale, squares)

    def _sum(self, addresses: Sequence[torch.Tensor]) -> None:
        if not all(self._squares):
            raise RuntimeError(
                "capturable=True with clip_norm or nonfinite='skip' needs gradients without gaps, and one of them is a "
                "view with gaps: make it contiguous, or clip with torch.nn.utils.clip_grad_norm_"
            )
        for (each, sums), own in zip(self._parts(), addresses, strict=True):
            each.put(own, sums)

    def _parts(self) -> list[tuple[GpuSquares, torch.Tensor]]:
        squares = [each for each in self._squares if each]
        return list(zip(squares, self._sums.split([each.blocks for each in squares]), strict=True))


def _number(given: Any, otherwise: torch.Tensor) -> torch.Tensor:
    """Return a gradient scaler's number as float32 on the device."""
    if given is None:
        return otherwise
    if isinstance(given, torch.Tensor) and given.device == otherwise.device:
        return given.detach().to(torch.float32).reshape(())
    if isinstance(given, torch.Tensor):
        raise RuntimeError(f"capturable=True needs the gradient scaler on {otherwise.device}, it is on {given.device}")
    return torch.full_like(otherwise, float(given))
