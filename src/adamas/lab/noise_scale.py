"""The simple gradient noise scale: how large a batch must be before a larger one stops helping.

At a batch of that size the noise in a gradient is as large as the gradient. Below it, twice the batch takes half
the steps; well above it, twice the batch takes as many. McCandlish et al. (2018), "An empirical model of
large-batch training", arXiv:1812.06162, equation 2.9 and appendix A.1; the estimator is the one that uses all
gradients at once.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from adamas.doctor import from_parts
from adamas.lab.data import Batch
from adamas.lab.streams import stream_seed
from adamas.lab.train import Training

_DRAWS = 64


@dataclass(frozen=True)
class NoiseScale:
    """The gradient at one moment of a training.

    Args:
        step: training steps done.
        signal: squared norm of the true gradient, estimated without bias (so it can be negative).
        noise: trace of the covariance of one example's gradient.
    """

    step: int
    signal: float
    noise: float

    @property
    def examples(self) -> float:
        """The noise scale in examples; infinite where the gradient drowns in its noise.

        Example:
            >>> NoiseScale(step=10, signal=2.0, noise=500.0).examples
            250.0
        """
        return self.noise / self.signal if self.signal > 0 else math.inf


def noise_scale(training: Training, draws: int = _DRAWS) -> NoiseScale:
    """Measures the noise scale of a training where it is, in training mode; weights and statistics stay as they are.

    Args:
        training: a run under way.
        draws: batches of its size to take gradients on, with replacement.
    """
    model, data, size = training.model, training.data.train, training.spec.batch_size
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    generator = torch.Generator().manual_seed(stream_seed(training.step, "noise scale"))
    torch.manual_seed(stream_seed(training.step, "noise scale dropout"))
    total, squares = None, 0.0
    for _ in range(draws):
        chosen = torch.randint(len(data[0]), (size,), generator=generator)
        gradient = _gradient(training, tuple(tensor[chosen] for tensor in data))
        total = gradient if total is None else total + gradient
        squares += gradient.square().sum().item()
    assert total is not None
    mean = (total / draws).square().sum().item()
    signal, noise = from_parts(squares / draws, size, mean, draws * size)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(kept[name])
    model.zero_grad()
    return NoiseScale(training.step, signal=signal, noise=noise)


def _gradient(training: Training, batch: Batch) -> Tensor:
    """What training descends, over all weights as one vector; in float64, as its squares are summed and subtracted."""
    training.model.zero_grad()
    training.workload.training_loss(training.model, batch).backward()
    gradients = [each.grad for each in training.model.parameters() if each.grad is not None]
    return torch.cat([(each.to_dense() if each.is_sparse else each).flatten().double() for each in gradients])
