"""A small convolutional network on images, with batch normalization or without."""

from typing import ClassVar

from torch import nn

from adamas.lab.data import Data
from adamas.lab.pictures import Picture
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.half import Half
from adamas.lab.workloads.pixels import gallery, image_data, stretched


def block(channels_in: int, channels_out: int, batch_norm: bool) -> nn.Sequential:
    """Convolution, batch norm, ReLU, and a pooling that halves both sides of the image."""
    return nn.Sequential(
        # Batch norm subtracts the mean, so a bias before it would have no effect.
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=not batch_norm),
        *([nn.BatchNorm2d(channels_out)] if batch_norm else []),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class DigitsCNN(Classification):
    """Two convolution blocks and a linear head, with dropout before the head.

    The variant `plain` has no batch norm; `mnist5k` and `fashion` have it, on larger images; `bfloat16` has weights,
    statistics and signals of 16 bits.
    """

    variants = ("batchnorm", "plain", "mnist5k", "fashion", "bfloat16")
    batch_size = 64
    steps = 600
    eval_every = 20

    # Printed by `adamas calibrate cnn`.
    target = 0.0077
    # Printed by `adamas tune cnn`.
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

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        images = self.variant if self.variant in ("mnist5k", "fashion") else "digits"
        self.title = f"CNN {'without' if self.variant == 'plain' else 'with'} batch norm on {images}"
        self.title += " in bfloat16" * (self.variant == "bfloat16")

    def data(self) -> Data:
        """The images of the variant, pixels in a row."""
        return image_data(self.variant)

    def model(self) -> nn.Module:
        """1x8x8 -> 16x4x4 -> 32x2x2 -> 10 logits; 6,138 parameters with batch norm."""
        side = int(self.data().train[0].shape[1] ** 0.5)
        batch_norm = self.variant != "plain"
        sequence = Half if self.variant == "bfloat16" else nn.Sequential
        return sequence(
            nn.Unflatten(1, (1, side, side)),
            block(1, 16, batch_norm),
            block(16, 32, batch_norm),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * (side // 4) ** 2, 10),
        )

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """What the first layer looks for, and what it makes of an image."""
        convolution, first = model.get_submodule("1.0"), model.get_submodule("1")
        weight = convolution.get_parameter("weight")
        filters = stretched(weight).flatten(1)
        image = data.test[0][:1].view(1, 1, *[int(data.test[0].shape[1] ** 0.5)] * 2)
        answers = first(image.to(weight.dtype))[0].flatten(1)
        return [
            gallery("Filters", {"first layer": filters}, "The sixteen 3x3 filters; grey is zero."),
            gallery("Feature maps", {"first layer": answers / answers.max()}, "What they make of one test image."),
        ]
