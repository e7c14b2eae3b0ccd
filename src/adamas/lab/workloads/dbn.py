"""A deep belief network: layers of Boltzmann machines, trained one on the other, then fine-tuned by backpropagation.

Hinton, Osindero and Teh 2006, "A fast learning algorithm for deep belief nets"; Bengio and others 2007.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

import adamas
from adamas.lab.data import Data
from adamas.lab.pictures import Picture
from adamas.lab.workloads.boltzmann import RBM
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.pixels import gallery, image_data, stretched

WIDTHS = (128, 128, 128)
"""Units of the hidden layers."""

EPOCHS = 30
"""Rounds over the images in which each machine is trained."""

_BATCH = 64
_IMAGES = 4000
"""Most images a machine is trained on: pretraining takes seconds."""


def pretrained(visible: Tensor, hidden: int) -> RBM:
    """A machine trained on these values in [0, 1], with Adam on one step of contrastive divergence."""
    machine = RBM(visible.shape[1], hidden)
    # The reference engine: the fine-tuning of every engine must start at the same bits.
    optimizer = adamas.Adam(machine.parameters(), lr=0.01, engine="reference")
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(visible)).split(_BATCH):
            optimizer.zero_grad()
            machine.contrast(torch.bernoulli(visible[chosen]), steps=1).backward()
            optimizer.step()
    return machine


class DeepBelief(Classification):
    """Three sigmoid layers whose weights come from stacked machines, and a linear head.

    The variant `scratch` is the same network from random weights.
    """

    variants = ("digits", "scratch", "mnist5k", "fashion")
    batch_size = 64
    steps = 600
    eval_every = 20
    target = 0.05
    # Printed by `adamas tune dbn --budget 9 --seeds 1`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 5.5,
        "momentum": 0.95,
        "nesterov": 0.95,
        "adagrad": 0.15,
        "rmsprop": 0.01,
        "adam": 0.013,
        "adamw": 0.017,
        "amsgrad": 0.013,
        "adamax": 0.095,
        "nadam": 0.04,
        "radam": 0.04,
        "lion": 0.0053,
    }

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        images = "digits" if self.variant == "scratch" else self.variant
        self.title = (
            f"Sigmoid network on {images}, {'not ' * (self.variant == 'scratch')}pretrained as a belief network"
        )

    def data(self) -> Data:
        """The images of the variant."""
        return image_data(self.variant)

    def model(self) -> nn.Module:
        """Pixels -> 128 -> 128 -> 128 -> 10 logits. Pretraining is part of it, and off the clock of training."""
        signal = self.data().train[0][:_IMAGES]
        layers: list[nn.Module] = []
        for inputs, width in zip((signal.shape[1], *WIDTHS), WIDTHS, strict=False):
            layer = nn.Linear(inputs, width)
            if self.variant != "scratch":
                machine = pretrained(signal, width)
                with torch.no_grad():
                    layer.weight.copy_(machine.weight.T)
                    layer.bias.copy_(machine.hidden_bias)
                    signal = machine.hidden_means(signal)
            layers += [layer, nn.Sigmoid()]
        return nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 10))

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """What the units of the first layer look for."""
        filters = stretched(model.get_parameter("0.weight")[:20])
        return [gallery("Filters", {"first layer": filters}, "Weights of twenty units; grey is zero.")]
