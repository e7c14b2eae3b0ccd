"""Workloads for the tests, found by name as a user's own are: `lab_workloads:Class`."""

import os
import time
from multiprocessing import parent_process
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from adamas.lab.data import Data, digits
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
        return nn.Sequential(nn.Dropout(0.1), nn.Linear(64, 10))


class Tuned(Tiny):
    learning_rates: ClassVar[dict[str, float]] = {"sgd": 0.2}


class Recording(Tiny):
    """Keeps what each training step sees: the batch, the dropout mask, and the weights of the first step."""

    log: ClassVar[list[list[float]]] = []

    def loss(self, model, batch):
        if model.training:
            mask = nn.functional.dropout(torch.ones(16))
            weights = [value for parameter in model.parameters() for value in parameter.flatten().tolist()]
            first = not self.log
            self.log.append([*batch[0].flatten().tolist(), *mask.tolist(), *(weights if first else [])])
        return super().loss(model, batch)


class Failing(Tiny):
    def loss(self, model, batch):
        raise ValueError("no such luck\nand a second line")


class Dying(Tiny):
    def loss(self, model, batch):
        os._exit(9)


class Endless(Tiny):
    steps = 1_000_000


class Hostile(Tiny):
    title = "</script><script>alert(1)</script><img src=http://example.com/x onerror=alert(2)>"
    metric_name = "<b>accuracy</b>"


class Slow(Tiny):
    """Long enough for a checkpoint to be written in the middle."""

    steps = 200
    eval_every = 50

    def loss(self, model, batch):
        if model.training and parent_process() is not None:
            time.sleep(0.03)
        return super().loss(model, batch)


class Halfway(Slow):
    """Kills the process that trains it once, halfway: the file `died` in the folder of `HALFWAY` says that it has."""

    def loss(self, model, batch):
        if model.training:
            Halfway.seen = getattr(Halfway, "seen", 0) + 1
            mark = Path(os.environ["HALFWAY"]) / "died"
            with mark.with_name("steps").open("a") as steps:
                steps.write(".")
            if Halfway.seen == self.steps * 3 // 4 and not mark.exists():
                mark.touch()
                os._exit(9)
        return super().loss(model, batch)


class Plain(Tiny):
    """Without dropout, so that the gradient of an example is a function of the weights."""

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(64, 10))


class Scaled(Plain):
    batch_size = 64
    steps = 80
    eval_every = 2
    target = 0.8
