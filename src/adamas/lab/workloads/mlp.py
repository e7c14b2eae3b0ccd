"""A two-layer perceptron with dropout on images, with the activation function of your choice."""

from typing import ClassVar

from torch import nn

from adamas.lab.data import Data
from adamas.lab.pictures import Picture, series
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.gradients import dead_shares, layer_names, weight_gradients
from adamas.lab.workloads.pixels import image_data

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
}
"""What a unit may do with its input."""


class DigitsMLP(Classification):
    """Two hidden layers of 128 units with dropout, then a linear head.

    Variants are an activation function on digits, or ReLU on another data set.
    """

    variants = (*ACTIVATIONS, "mnist5k", "fashion")
    batch_size = 64
    steps = 1000
    eval_every = 20

    # Printed by `adamas calibrate mlp`.
    target = 0.0067
    # Printed by `adamas tune mlp`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 0.75,
        "momentum": 0.095,
        "nesterov": 0.095,
        "adagrad": 0.04,
        "rmsprop": 0.0032,
        "adam": 0.0053,
        "adamw": 0.0053,
        "amsgrad": 0.0061,
        "adamax": 0.03,
        "nadam": 0.0061,
        "radam": 0.0095,
        "lion": 0.00095,
    }

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.activation = ACTIVATIONS.get(self.variant, nn.ReLU)
        images = "digits" if self.variant in ACTIVATIONS else self.variant
        self.title = f"Two-layer MLP ({self.activation.__name__}) with dropout on {images}"

    def data(self) -> Data:
        """The images of the variant."""
        return image_data(self.variant)

    def model(self) -> nn.Module:
        """Pixels -> 128 -> 128 -> 10 logits; 26,122 parameters on 8x8 images."""
        return nn.Sequential(
            nn.Linear(self.data().train[0].shape[1], 128),
            self.activation(),
            nn.Dropout(0.2),
            nn.Linear(128, 128),
            self.activation(),
            nn.Dropout(0.2),
            nn.Linear(128, 10),
        )

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """How large gradients are from layer to layer, before and after training, and how many units are dead."""
        assert isinstance(model, nn.Sequential)
        batch = data.train[0][:500], data.train[1][:500]
        flow = {"before training": weight_gradients(self.model(), batch), "after": weight_gradients(model, batch)}
        dead = {"after": dead_shares(model, self.activation, batch[0])}
        return [
            series(
                "bars",
                "Gradient flow",
                flow,
                layer_names(3),
                "Root mean square of the gradient of each weight matrix: where it shrinks towards the first layer, "
                "that layer learns slowly.",
            ),
            series(
                "bars", "Dead units", dead, layer_names(2), "Share of units whose slope is zero on all of 500 images."
            ),
        ]
