"""A variational autoencoder: codes that follow a normal distribution, so that new images can be drawn.

Kingma and Welling 2013, "Auto-Encoding Variational Bayes", arXiv 1312.6114.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adamas.lab.data import Batch, Data
from adamas.lab.pictures import Picture
from adamas.lab.workloads.base import Base
from adamas.lab.workloads.pixels import IMAGE_SETS, SAMPLE, gallery, image_data

CODE = 8
"""Dimensions of a code."""


class VAE(nn.Module):
    """An encoder to the mean and log variance of a code, a decoder to the logits of pixels.

    Args:
        pixels: of an image.
    """

    def __init__(self, pixels: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 2 * CODE))
        self.decoder = nn.Sequential(nn.Linear(CODE, 128), nn.ReLU(), nn.Linear(128, pixels))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the pixels from a code that was drawn, and the mean and log variance it was drawn with."""
        mean, log_variance = self.encoder(pixels).chunk(2, dim=1)
        # Outside training the draw is the same every time: a loss must not change from one look to the next.
        generator = None if self.training else torch.Generator().manual_seed(0)
        noise = torch.randn(mean.shape, generator=generator)
        return self.decoder(mean + (0.5 * log_variance).exp() * noise), mean, log_variance


class Variational(Base):
    """Bernoulli pixels, a standard normal prior, and the negative evidence lower bound as the loss."""

    variants = tuple(IMAGE_SETS)
    batch_size = 64
    steps = 1500
    eval_every = 50
    # Printed by `adamas calibrate vae`.
    target = 25.5
    # Printed by `adamas tune vae --budget 7 --seeds 1`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 0.1,
        "momentum": 0.03,
        "nesterov": 0.03,
        "adagrad": 0.03,
        "rmsprop": 0.0032,
        "adam": 0.0071,
        "adamw": 0.0071,
        "amsgrad": 0.0071,
        "adamax": 0.017,
        "nadam": 0.0095,
        "radam": 0.03,
        "lion": 0.003,
    }
    metric_name = "lower bound of the log-likelihood in nats"
    metric_format: ClassVar[str] = ".2f"

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.title = f"Variational autoencoder on {self.variant}"

    def data(self) -> Data:
        """The images of the variant; their classes are not used."""
        data = image_data(self.variant)
        return Data(train=data.train[:1], test=data.test[:1], probe=data.probe and data.probe[:1])

    def model(self) -> nn.Module:
        """Pixels -> 128 -> 8 means and variances, a code -> 128 -> pixels."""
        return VAE(self.data().train[0].shape[1])

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy of the pixels plus the divergence of the code from the prior, in nats per image."""
        logits, mean, log_variance = model(batch[0])
        pixels = functional.binary_cross_entropy_with_logits(logits, batch[0], reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (pixels + divergence) / len(batch[0])

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """The evidence lower bound per image of the test split."""
        return -self.loss(model, batch).item()

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """Reconstructions of test images, and images drawn from nothing."""
        assert isinstance(model, VAE)
        images = data.test[0][:SAMPLE]
        rows = {"original": images, "reconstruction": model(images)[0].sigmoid()}
        drawn = {"drawn": model.decoder(torch.randn(2 * SAMPLE, CODE)).sigmoid()}
        return [
            gallery("Reconstructions", rows, f"Test images through a code of {CODE} numbers."),
            gallery("Samples", drawn, "Images decoded from codes that were drawn from the prior."),
        ]
