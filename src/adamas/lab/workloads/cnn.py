"""A small convolutional network with batch normalization on hand-written digits."""

from typing import ClassVar

from torch import nn

from adamas.lab.data import Data, digits
from adamas.lab.workloads.classification import Classification


def block(channels_in: int, channels_out: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU, and a pooling that halves both sides of the image."""
    return nn.Sequential(
        # Batch norm subtracts the mean, so a bias before it would have no effect.
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class DigitsCNN(Classification):
    """Two convolution blocks and a linear head, with dropout before the head."""

    title = "CNN with batch norm on digits"
    batch_size = 64
    steps = 600
    eval_every = 20

    # Both printed by `adamas tune cnn`.
    target = 0.0077
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 0.24,
        "momentum": 0.13,
        "nesterov": 0.053,
        "adagrad": 0.13,
        "rmsprop": 0.0057,
        "adam": 0.011,
        "adamw": 0.0071,
        "amsgrad": 0.0095,
        "adamax": 0.03,
        "nadam": 0.0095,
        "radam": 0.03,
        "lion": 0.0023,
    }

    def data(self) -> Data:
        """The digits, 8x8 pixels in a row of 64."""
        return digits()

    def model(self) -> nn.Module:
        """1x8x8 -> 16x4x4 -> 32x2x2 -> 10 logits; 6,138 parameters."""
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            block(1, 16),
            block(16, 32),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * 2 * 2, 10),
        )
