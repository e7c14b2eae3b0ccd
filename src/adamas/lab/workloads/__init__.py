"""Workloads: a data set, a model, a loss, a metric and a target, under one name.

A workload of your own is a class with the members of `Workload`, named `package.module:Class` wherever a
workload's name is expected; those that `adamas.lab.workloads.base.Base` defines may be left out. For a
classifier, derive it from `adamas.lab.workloads.classification.Classification`, which leaves the data, the
model and five constants. A class with `variants` is told which one: `package.module:Class@variant`.
"""

import hashlib
import inspect
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

from torch import Tensor, nn
from typing_extensions import get_protocol_members

from adamas.lab.data import Batch, Data
from adamas.lab.errors import LabError, first_line
from adamas.lab.pictures import Picture
from adamas.lab.workloads.base import Base, checked_variant

WORKLOADS: Mapping[str, str] = {
    "logreg": "adamas.lab.workloads.logreg:LogisticRegression",
    "bow": "adamas.lab.workloads.bow:Words",
    "embed": "adamas.lab.workloads.embed:Embeddings",
    "mlp": "adamas.lab.workloads.mlp:DigitsMLP",
    "cnn": "adamas.lab.workloads.cnn:DigitsCNN",
    "autoencoder": "adamas.lab.workloads.autoencoder:Denoising",
    "vae": "adamas.lab.workloads.vae:Variational",
    "chargpt": "adamas.lab.workloads.chargpt:CharacterModel",
    "mlm": "adamas.lab.workloads.mlm:MaskedModel",
    "finetune": "adamas.lab.workloads.finetune:FineTuning",
    "rbm": "adamas.lab.workloads.rbm:BernoulliRBM",
    "dbn": "adamas.lab.workloads.dbn:DeepBelief",
}
"""What the lab brings, by short name. Imported only when asked for."""


class Workload(Protocol):
    """What the lab asks of a workload. Instances are never changed."""

    @property
    def variants(self) -> tuple[str, ...]:
        """What may follow `@` in its name, the default first."""
        ...

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
    def metric_format(self) -> str:
        """How a metric is printed, such as `.2%`."""
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
        """Mean loss over a batch: what is reported, what `target` refers to and, as a rule, what training descends."""
        ...

    def training_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """What training descends, where that is not `loss`."""
        ...

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """The figure of merit on unseen data. Called in evaluation mode without gradients."""
        ...

    def trainable(self, model: nn.Module) -> list[nn.Parameter]:
        """The parameters given to the optimizer."""
        ...

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """What to look at once the model is trained; called once, in evaluation mode, with gradients."""
        ...


def _workload_class(name: str) -> type:
    """The class of a name without variant, with the defaults of `Base` for what it leaves out."""
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
        found = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        remedy = "check the spelling and that Python finds the module from this folder"
        raise LabError(f"workload {name!r} can't be loaded ({first_line(error)})", remedy) from error
    if not isinstance(found, type):
        raise LabError(f"workload {name!r} is no class", "name one with the members of adamas.lab.workloads.Workload")
    if issubclass(found, Base):
        return found
    return type(found.__name__, (found, Base), {"__module__": found.__module__})


def load(name: str) -> Workload:
    """Makes the workload of that name.

    Args:
        name: a key of `WORKLOADS`, or `package.module:Class` for one of your own; `@variant` may follow.

    Raises:
        LabError: there is no such workload or variant, its module can't be imported, or it lacks a member.

    Example:
        >>> load("mlp").metric_name
        'accuracy'
    """
    base, _, variant = name.partition("@")
    found = _workload_class(base)
    # A class without variants need not take an argument.
    made = found(checked_variant(found, variant)) if variant or found.variants else found()
    if missing := sorted(member for member in get_protocol_members(Workload) if not hasattr(made, member)):
        raise LabError(
            f"{name!r} is no workload: it has no {', '.join(missing)}",
            "give the class what adamas.lab.workloads.Workload lists, or derive it from Classification",
        )
    return made


def digest(name: str) -> str:
    """Twelve hexadecimal digits that change with the variant and when the source of a workload does.

    They are part of a run's identity, so that editing a model never revives a run of the old one. The source is
    the workload's file, and the files beside it that it imports from: base classes, shared layers.
    """
    base, _, variant = name.partition("@")
    found = _workload_class(base)
    variant = checked_variant(found, variant)
    sources = {module.__name__: module for module in _beside(sys.modules[found.__module__])}
    text = "".join(inspect.getsource(sources[name]) for name in sorted(sources))
    return hashlib.sha256(f"{variant}\n{text}".encode()).hexdigest()[:12]


def _beside(module: ModuleType) -> list[ModuleType]:
    """The module and, whether imported whole or in part, all in its folder that it uses, directly or not."""
    folder = Path(inspect.getfile(module)).parent
    found, todo = {}, [module]
    while todo:
        current = todo.pop()
        found[current.__name__] = current
        for value in vars(current).values():
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            used = sys.modules.get(name) if isinstance(name, str) else None
            file = getattr(used, "__file__", None)
            if used and file and Path(file).parent == folder and used.__name__ not in found:
                todo.append(used)
    return list(found.values())
