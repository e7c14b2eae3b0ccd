"""What every classifier has in common: cross entropy as the loss, accuracy as the metric."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from adamas.lab.data import Batch, Data
from adamas.lab.workloads.base import Base


class Classification(Base, ABC):
    """A workload whose batches are `(inputs, labels)` and whose model returns one logit per class."""

    title: str
    batch_size: int
    steps: int
    eval_every: int
    target: float
    metric_name: ClassVar[str] = "accuracy"

    @abstractmethod
    def data(self) -> Data:
        """The fixed train and test split of `(inputs, labels)`."""

    @abstractmethod
    def model(self) -> nn.Module:
        """A freshly initialized model from inputs to logits."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross entropy in nats."""
        inputs, labels = batch
        return functional.cross_entropy(model(inputs), labels)

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """Share of examples whose largest logit is the right one, in [0, 1]."""
        inputs, labels = batch
        return (model(inputs).argmax(1) == labels).double().mean().item()
