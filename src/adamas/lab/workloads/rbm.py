"""A restricted Boltzmann machine on binary images, trained on contrastive divergence by any optimizer."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from adamas.lab.data import Batch, Data
from adamas.lab.pictures import Picture, series
from adamas.lab.workloads.base import Base
from adamas.lab.workloads.boltzmann import RBM
from adamas.lab.workloads.pixels import SAMPLE, gallery, image_data, stretched

PROBE = 500
"""Images whose pseudo-likelihood is evaluated: it costs a pass for every pixel."""


class BernoulliRBM(Base):
    """64 hidden units on 8x8 images, 128 on larger ones, which are cut to black and white.

    Variants: one or five Gibbs steps from the data (`cd1`, `cd5`), or one step of chains that go on from training
    step to training step (`pcd`); on 28x28 images, one step from the data.
    """

    variants = ("cd1", "cd5", "pcd", "mnist5k", "fashion")
    batch_size = 64
    steps = 1500
    eval_every = 50
    # Printed by `adamas calibrate rbm` (discrimination index 0.67) and `adamas tune rbm --budget 9 --seeds 1`.
    target = 12.9
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 0.75,
        "momentum": 0.23,
        "nesterov": 0.23,
        "adagrad": 0.53,
        "rmsprop": 0.041,
        "adam": 0.053,
        "adamw": 0.053,
        "amsgrad": 0.053,
        "adamax": 0.095,
        "nadam": 0.095,
        "radam": 0.17,
        "lion": 0.0095,
    }
    metric_name = "log pseudo-likelihood in nats"
    metric_format: ClassVar[str] = ".2f"

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        images = self.variant if self.variant in ("mnist5k", "fashion") else "digits"
        how = {"cd5": "five Gibbs steps", "pcd": "persistent chains"}.get(self.variant, "one Gibbs step")
        self.title = f"Restricted Boltzmann machine on {images}, {how}"

    def data(self) -> Data:
        """The images of the variant in black and white."""
        data = image_data(self.variant)
        train, test = ((split[0] > 0.5).float() for split in (data.train, data.test))
        return Data(train=(train,), test=(test[:PROBE],), probe=(train[:PROBE],))

    def model(self) -> nn.Module:
        """A machine whose biases start at zero and whose weights start small."""
        pixels = self.data().train[0].shape[1]
        chains = self.batch_size if self.variant == "pcd" else 0
        return RBM(pixels, 64 if pixels <= 64 else 128, chains)

    def training_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Free energy of the data less that of fantasies; it says nothing of how good the model is."""
        assert isinstance(model, RBM)
        return model.contrast(batch[0], steps=5 if self.variant == "cd5" else 1)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Negative log pseudo-likelihood in nats per image."""
        assert isinstance(model, RBM)
        return -model.pseudo_likelihood(batch[0])

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """Log pseudo-likelihood of the test split in nats per image."""
        return -self.loss(model, batch).item()

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """Reconstructions, what the model dreams, what its units look for, and the free energies."""
        assert isinstance(model, RBM)
        images = data.test[0][:SAMPLE]
        rows = {"original": images, "reconstruction": model.visible_means(model.hidden_means(images))}
        dreams = model.visible_means(model.hidden_means(model.gibbs(torch.rand(2 * SAMPLE, images.shape[1]), 1000)))
        filters = stretched(model.weight.detach().T[: 2 * SAMPLE])
        scrambled = data.test[0][:, torch.randperm(images.shape[1])]
        energies = [model.free_energy(part).mean().item() for part in (data.train[0], data.test[0], scrambled)]
        gap = f"Test above train by {energies[1] - energies[0]:.1f} nats: the wider, the more was learned by heart."
        columns = ["train images", "test images", "test images, pixels shuffled"]
        return [
            gallery("Reconstructions", rows, "Test images, once to the hidden units and back."),
            gallery("Gibbs samples", {"dreams": dreams}, "After 1,000 rounds of Gibbs sampling from noise."),
            gallery("Filters", {"weights": filters}, "Weights of some hidden units; grey is zero."),
            series("bars", "Free energy", {"mean": energies}, columns, gap),
        ]
