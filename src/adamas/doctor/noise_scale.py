"""The gradient noise scale: about how large a batch may be before a larger one stops helping.

    B = tr(S) / |G|^2,   G the true gradient, S the covariance of one example's gradient

At a batch of B examples the noise in a gradient is as large as the gradient; below it twice the batch takes half the
steps, well above it as many. It is a direction, not a number: it grows as training goes on, differs from layer to
layer, and what pays depends on the price of time. McCandlish et al. 2018, arXiv 1812.06162, section 2.

Three ways to know it, of which two are here:

    g m    A gradient and the mean m of those before it have independent noise, so E[g m] = |G|^2 while
           E[g^2] = |G|^2 + tr(S) / batch. Costs nothing but the doctor's looks. It is wrong as far as G turns within
           the memory of m, so it holds at small learning rates; early, and for rules without m, there is none.
    parts  Two batch sizes: micro-batches and the whole, or ranks and all of them. Unbiased at any learning rate.
           McCandlish et al., appendix A.1.
    lab    Gradients on many batches at fixed weights: `adamas batch` (`adamas.lab.noise_scale`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from adamas.doctor.history import Look
from adamas.engines.norms import Squares

LEAST = 5  # readings without which there is no range
REACH = 80  # steps: the signal shrinks as training goes on, so that a mean that goes back further reads too low
_SURE = 4.0  # standard errors to both sides: 2 for chance, 2 for what a mean lags behind (measured: 92 % of the time)


@dataclass(frozen=True)
class NoiseScale:
    """A noise scale with its range.

    Args:
        signal: squared norm of the true gradient; an estimate, which can be negative.
        noise: trace of the covariance of one example's gradient; an estimate, likewise.
        low: of the noise scale in examples, as far as the spread of the readings says.
        high: likewise; infinite where the signal may be nothing.
        readings: how many it is the mean of.
    """

    signal: float
    noise: float
    low: float
    high: float
    readings: int

    @property
    def examples(self) -> float:
        """The noise scale in examples; infinite where the gradient drowns in its noise.

        Example:
            >>> NoiseScale(signal=2.0, noise=500.0, low=200.0, high=300.0, readings=9).examples
            250.0
        """
        return _ratio(self.noise, self.signal)


def from_parts(small: float, size: float, large: float, large_size: float) -> tuple[float, float]:
    """Return signal and noise from the squared norms of gradients on two batch sizes.

    |G_b|^2 = |G|^2 + tr(S) / b for the mean gradient over b examples, so two sizes give both.

    Args:
        small: squared norm of a gradient on a micro-batch or of a rank; better, its mean over all of them.
        size: examples in it, > 0.
        large: squared norm of the mean gradient of all of them.
        large_size: examples in all of them, > size.

    Raises:
        ValueError: if the sizes are not in this order.

    Example:
        >>> from_parts(3.0, 16, 1.5, 64)
        (1.0, 32.0)
    """
    if not 0 < size < large_size:
        raise ValueError(f"a part must be smaller than the whole and not empty, got {size} of {large_size} examples")
    noise = (small - large) / (1 / size - 1 / large_size)
    return large - noise / large_size, noise


def square_of(gradients: Iterable[torch.Tensor | None]) -> float:
    """Return the squared norm of gradients together.

    Example:
        >>> square_of([torch.tensor([3.0]), None, torch.tensor([4.0])])
        25.0
    """
    given = [each for each in gradients if each is not None]
    return math.fsum(Squares(given).of(given))


class NoiseMeter:
    """Averages readings of signal and noise, each for itself: a mean of their ratios would be biased.

    Args:
        memory: how many readings the mean goes back, about; > 1.

    Example:
        Accumulating gradients over 4 micro-batches of 16:

        >>> import torch, adamas
        >>> from adamas.doctor import NoiseMeter, from_parts, square_of
        >>> torch.manual_seed(0); meter, w = NoiseMeter(), torch.nn.Parameter(torch.zeros(5))
        <torch...
        >>> for step in range(50):
        ...     w.grad = None
        ...     for part in range(4):
        ...         x = torch.randn(16, 5) + 0.5                 # noise 5, signal 5 * 0.5^2
        ...         (x @ w).mean().div(4).backward()
        ...         if part == 0:
        ...             small = 16 * square_of([w.grad])         # (4 g)^2: the first micro-batch alone
        ...     meter.add(*from_parts(small, 16, square_of([w.grad]), 64))
        >>> scale = meter.scale()
        >>> scale.low < 5 / (5 * 0.5**2) < scale.high
        True
    """

    def __init__(self, memory: float = 50.0) -> None:
        if not memory > 1:
            raise ValueError(f"memory must be more than 1 reading, got {memory}")
        self._keep = 1 - 1 / memory
        self._weight = self._weights = 0.0
        self._sums = [0.0] * 5
        self.readings = 0

    def add(self, signal: float, noise: float) -> None:
        """Take one reading; what is not finite is passed over."""
        if not (math.isfinite(signal) and math.isfinite(noise)):
            return
        terms = (signal, noise, signal * signal, noise * noise, signal * noise)
        self._sums = [self._keep * total + each for total, each in zip(self._sums, terms, strict=True)]
        self._weight = self._keep * self._weight + 1
        self._weights = self._keep**2 * self._weights + 1
        self.readings += 1

    def scale(self) -> NoiseScale | None:
        """Return the noise scale now; None before there are `LEAST` readings."""
        if self.readings < LEAST:
            return None
        signal, noise, ss, nn, sn = (each / self._weight for each in self._sums)
        share = self._weights / self._weight**2  # variance of a weighted mean over that of one reading
        spread = share / max(1 - share, 1e-3)
        return NoiseScale(signal, noise, *_range(signal, noise, (ss, nn, sn), spread), self.readings)


def _range(signal: float, noise: float, seconds: tuple[float, float, float], spread: float) -> tuple[float, float]:
    """Return where noise / signal may lie, by Fieller's theorem: the ratio r where noise - r signal may be 0."""
    ss, nn, sn = seconds
    a = signal**2 - _SURE**2 * spread * (ss - signal**2)
    b = signal * noise - _SURE**2 * spread * (sn - signal * noise)
    c = noise**2 - _SURE**2 * spread * (nn - noise**2)
    root = b * b - a * c
    if a <= 0 or root < 0 or signal <= 0:
        return (max(0.0, c / (b + math.sqrt(root))) if root >= 0 and b > 0 else 0.0), math.inf
    return max(0.0, (b - math.sqrt(root)) / a), (b + math.sqrt(root)) / a


def from_looks(looks: Sequence[Look], batch: int, memory: float = 10.0) -> NoiseScale | None:
    """Return the noise scale from a gradient and the mean of those before it, over what the doctor saw.

    Args:
        looks: the doctor's.
        batch: examples in a step.
        memory: how many looks the mean goes back, about; fewer where that is more than `REACH` steps, but at least
            `LEAST`.

    Returns:
        None if there are too few looks, or no mean of gradients.
    """
    if len(looks) < LEAST:
        return None
    apart = (looks[-1].count - looks[0].count) / (len(looks) - 1)
    meter = NoiseMeter(max(min(memory, REACH / apart), LEAST))
    for look in looks:
        known = [seen for seen in look.seen if seen.whole > 0 and seen.step > 1]
        if known:
            signal = math.fsum(seen.sums.along / seen.whole for seen in known)
            meter.add(signal, batch * (math.fsum(seen.sums.gradient for seen in known) - signal))
    return meter.scale()


def _ratio(noise: float, signal: float) -> float:
    return max(0.0, noise) / signal if signal > 0 else math.inf
