"""A denoising autoencoder: an image through eight numbers and back, from a noisy one (Vincent and others 2008)."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adamas.lab.data import Batch, Data
from adamas.lab.pictures import Picture
from adamas.lab.workloads.base import Base
from adamas.lab.workloads.pixels import IMAGE_SETS, SAMPLE, gallery, image_data

CODE = 8
"""Numbers an image is squeezed through."""


class Noise(nn.Module):
    """Adds normal noise, in training only.

    Args:
        deviation: its standard deviation; pixels are in [0, 1].
    """

    def __init__(self, deviation: float):
        super().__init__()
        self.deviation = deviation

    def forward(self, pixels: Tensor) -> Tensor:
        """The pixels, noisy while training."""
        return pixels + self.deviation * torch.randn_like(pixels) if self.training else pixels


class Denoising(Base):
    """Noise, an encoder and a decoder of one hidden layer each, and the clean image as what they should return."""

    variants = tuple(IMAGE_SETS)
    batch_size = 64
    steps = 1500
    eval_every = 50
    # Printed by `adamas calibrate autoencoder`.
    target = 0.0164
    # Printed by `adamas tune autoencoder --budget 9 --seeds 1`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 30,
        "momentum": 5.3,
        "nesterov": 9.5,
        "adagrad": 0.04,
        "rmsprop": 0.0043,
        "adam": 0.011,
        "adamw": 0.0095,
        "amsgrad": 0.0095,
        "adamax": 0.023,
        "nadam": 0.0095,
        "radam": 0.03,
        "lion": 0.004,
    }
    metric_name = "variance explained"

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.title = f"Denoising autoencoder on {self.variant}"

    def data(self) -> Data:
        """The images of the variant; their classes are not used."""
        data = image_data(self.variant)
        return Data(train=data.train[:1], test=data.test[:1], probe=data.probe and data.probe[:1])

    def model(self) -> nn.Module:
        """Pixels -> 128 -> 8 -> 128 -> pixels."""
        pixels = self.data().train[0].shape[1]
        encoder = nn.Sequential(nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, CODE))
        decoder = nn.Sequential(nn.Linear(CODE, 128), nn.ReLU(), nn.Linear(128, pixels), nn.Sigmoid())
        return nn.Sequential(Noise(0.1), encoder, decoder)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean squared error of a pixel; of clean images outside training."""
        return functional.mse_loss(model(batch[0]), batch[0])

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """1 - squared error / variance, which for a linear autoencoder is the share PCA reports."""
        error = (model(batch[0]) - batch[0]).double().square().mean(0).sum()
        return (1 - error / batch[0].double().var(0, correction=0).sum()).item()

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """Test images: clean, noisy, and what is made of the noisy ones."""
        clean = data.test[0][:SAMPLE]
        noisy = clean + 0.3 * torch.randn_like(clean)
        rows = {"original": clean, "with noise": noisy, "denoised": model(noisy), "without noise": model(clean)}
        return [gallery("Reconstructions", rows, f"Test images that went through {CODE} numbers.")]
