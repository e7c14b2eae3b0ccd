"""A two-layer perceptron with dropout on hand-written digits."""

from typing import ClassVar

from torch import nn

from adamas.lab.data import Data, digits
from adamas.lab.workloads.classification import Classification


class DigitsMLP(Classification):
    """Two hidden layers of 128 ReLU units with dropout, then a linear head."""

    title = "Two-layer MLP with dropout on digits"
    batch_size = 64
    steps = 1000
    eval_every = 20

    # Both printed by `adamas tune mlp`.
    target = 0.0067
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

    def data(self) -> Data:
        """The digits, 64 pixels each."""
        return digits()

    def model(self) -> nn.Module:
        """64 -> 128 -> 128 -> 10 logits; 26,122 parameters."""
        return nn.Sequential(
            nn.Linear(64, 128),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(128, 10),
        )
