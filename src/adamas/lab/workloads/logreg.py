"""Logistic regression on images: a convex problem with noisy gradients (Kingma and Ba 2015, section 6.1)."""

from typing import ClassVar

from torch import nn

from adamas.lab.data import Data
from adamas.lab.pictures import Picture
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.pixels import IMAGE_SETS, gallery, image_data, stretched


class LogisticRegression(Classification):
    """One linear layer from pixels to ten logits."""

    variants = tuple(IMAGE_SETS)
    batch_size = 128
    steps = 600
    eval_every = 20
    # Printed by `adamas calibrate logreg`.
    target = 0.00636
    # Printed by `adamas tune logreg --budget 9 --seeds 1`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 30,
        "momentum": 9.5,
        "nesterov": 9.5,
        "adagrad": 5.3,
        "rmsprop": 0.3,
        "adam": 0.95,
        "adamw": 0.17,
        "amsgrad": 0.95,
        "adamax": 3,
        "nadam": 3,
        "radam": 0.95,
        "lion": 0.053,
    }

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.title = f"Logistic regression on {self.variant}"

    def data(self) -> Data:
        """The images of the variant."""
        return image_data(self.variant)

    def model(self) -> nn.Module:
        """Pixels -> 10 logits; 650 parameters on 8x8 images, 7,850 on 28x28."""
        return nn.Linear(self.data().train[0].shape[1], 10)

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """The weights of each class as an image."""
        rows = {"class 0 to 9": stretched(model.get_parameter("weight"))}
        return [gallery("Weights", rows, "Bright pixels speak for the class, dark ones against it.")]
