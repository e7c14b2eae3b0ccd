"""Workloads that use what a workload may have besides the necessary."""

from typing import ClassVar

import torch
from torch import nn

from adamas.lab.data import Data, digits
from adamas.lab.pictures import images
from adamas.lab.workloads.classification import Classification


class Tiny(Classification):
    title = "Linear model on digits"
    batch_size = 32
    steps = 12
    eval_every = 4
    target = 1.5

    def data(self) -> Data:
        return digits()

    def model(self) -> nn.Module:
        return nn.Linear(64, 10)


class Varied(Tiny):
    variants = ("narrow", "wide")

    def model(self):
        return nn.Linear(64, 10) if self.variant == "narrow" else nn.Sequential(nn.Linear(64, 20), nn.Linear(20, 10))


class Probed(Tiny):
    def data(self):
        train, test = digits().train, digits().test
        return Data(train=train, test=test, probe=tuple(part[:7] for part in train))


class HeadOnly(Tiny):
    """Trains the last layer, towards zero, and reports cross entropy."""

    trained: ClassVar[list[nn.Module]] = []

    def model(self):
        model = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 10))
        self.trained.append(model)
        return model

    def trainable(self, model):
        return list(model.get_submodule("1").parameters())

    def training_loss(self, model, batch):
        return sum(parameter.square().sum() for parameter in model.parameters())


class Drawn(Tiny):
    def pictures(self, model, data):
        assert not model.training
        noise = torch.rand(2, 8, 8)
        return [images("digits", {"images": data.test[0][:2].view(2, 8, 8), "noise": noise})]


class Bare:
    """Only what a workload must have, not derived from anything."""

    title, metric_name = "bare", "accuracy"
    batch_size, steps, eval_every, target = 16, 2, 1, 0.1

    def data(self):
        return digits()

    def model(self):
        return nn.Linear(64, 10)

    def loss(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    def metric(self, model, batch):
        return (model(batch[0]).argmax(1) == batch[1]).double().mean().item()
