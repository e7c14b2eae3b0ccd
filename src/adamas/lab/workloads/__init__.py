"""Workloads: a data set, a model, a loss, a metric and a target, under one name.

A workload of your own is a class with the members of `Workload`, named `package.module:Class` wherever a
workload's name is expected. For a classifier, derive it from
`adamas.lab.workloads.classification.Classification`, which leaves the data, the model and five constants.
"""

import hashlib
import inspect
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol

from torch import Tensor, nn

from adamas.lab.data import Batch, Data
from adamas.lab.errors import LabError, first_line

WORKLOADS: Mapping[str, str] = {
    "cnn": "adamas.lab.workloads.cnn:DigitsCNN",
    "mlp": "adamas.lab.workloads.mlp:DigitsMLP",
}
"""What the lab brings, by short name. Imported only when asked for."""


class Workload(Protocol):
    """What a workload must have. Instances are made without arguments and are never changed."""

    @property
    def title(self) -> str:
        """One line for tables and charts: the data, the model, its size."""
        ...

    @property
    def batch_size(self) -> int:
        """Examples per training step."""
        ...

    @property
    def steps(self) -> int:
        """Training steps of one run: the budget."""
        ...

    @property
    def eval_every(self) -> int:
        """Training steps between two evaluations."""
        ...

    @property
    def target(self) -> float:
        """Train loss to reach: one that tuned optimizers reach at clearly different steps."""
        ...

    @property
    def metric_name(self) -> str:
        """What `metric` measures, for axes and headers. Larger is better."""
        ...

    @property
    def learning_rates(self) -> Mapping[str, float]:
        """Tuned learning rate by optimizer name; an optimizer that is absent uses its default."""
        ...

    def data(self) -> Data:
        """The fixed train and test split, the same object or equal values at every call."""
        ...

    def model(self) -> nn.Module:
        """A freshly initialized model, drawn from torch's default generator, which the caller has seeded."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean loss over a batch: what training descends and what `target` refers to."""
        ...

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """The figure of merit on unseen data. Called in evaluation mode without gradients."""
        ...


def _workload_class(name: str) -> type:
    path = WORKLOADS.get(name, name)
    module_name, colon, class_name = path.partition(":")
    if not colon:
        close = get_close_matches(name, WORKLOADS, n=1)
        known = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(WORKLOADS)}"
        raise LabError(f"no workload is called {name!r}", f"{known} (or your own, as package.module:Class)")
    # A console script, unlike `python -m`, does not look for modules in the folder it is started in.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        remedy = "check the spelling and that Python finds the module from this folder"
        raise LabError(f"workload {name!r} can't be loaded ({first_line(error)})", remedy) from error


def load(name: str) -> Workload:
    """Makes the workload of that name.

    Args:
        name: a key of `WORKLOADS`, or `package.module:Class` for one of your own.

    Raises:
        LabError: there is no such workload, or its module can't be imported.

    Example:
        >>> load("mlp").metric_name
        'accuracy'
    """
    return _workload_class(name)()


def digest(name: str) -> str:
    """Twelve hexadecimal digits that change when the source file of a workload does.

    They are part of a run's identity, so that editing a model never revives a run of the old one.
    """
    source = inspect.getsource(sys.modules[_workload_class(name).__module__])
    return hashlib.sha256(source.encode()).hexdigest()[:12]
