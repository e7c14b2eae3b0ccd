"""The catalogue: short name -> optimizer class, its fixed settings and a default learning rate.

Adding an optimizer is one row here; a hyper-parameter that a row doesn't mention has the class's default.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from torch import Tensor
from torch.optim import Optimizer

import adamas
from adamas.lab.errors import LabError
from adamas.lab.spec import Value


@dataclass(frozen=True)
class Entry:
    """One optimizer the lab knows by name.

    Args:
        name: what the command line calls it.
        label: what tables and charts call it.
        factory: called as `factory(params, lr=..., **settings)`.
        lr: learning rate used where a workload has no tuned one, and where the search for one starts.
        settings: hyper-parameters that make it this optimizer rather than another with the same class.
    """

    name: str
    label: str
    factory: Callable[..., Optimizer]
    lr: float
    settings: Mapping[str, Value] = field(default_factory=dict)


_ENTRIES = (
    Entry("sgd", "SGD", adamas.SGD, 0.1),
    Entry("momentum", "Momentum", adamas.SGD, 0.03, {"momentum": 0.9}),
    Entry("nesterov", "Nesterov", adamas.SGD, 0.03, {"momentum": 0.9, "nesterov": True}),
    Entry("adagrad", "AdaGrad", adamas.Adagrad, 0.03),
    Entry("rmsprop", "RMSProp", adamas.RMSprop, 0.001),
    Entry("adam", "Adam", adamas.Adam, 0.003),
    Entry("adamw", "AdamW", adamas.AdamW, 0.003),
    Entry("amsgrad", "AMSGrad", adamas.Adam, 0.003, {"amsgrad": True}),
    Entry("adamax", "Adamax", adamas.Adamax, 0.003),
    Entry("nadam", "NAdam", adamas.NAdam, 0.003),
    Entry("radam", "RAdam", adamas.RAdam, 0.003),
    Entry("lion", "Lion", adamas.Lion, 0.0003),
)

CATALOGUE: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def entry(name: str) -> Entry:
    """Looks an optimizer up.

    Raises:
        LabError: the catalogue has no such name.

    Example:
        >>> entry("rmsprop").label
        'RMSProp'
    """
    if name not in CATALOGUE:
        close = get_close_matches(name, CATALOGUE, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(CATALOGUE)}"
        raise LabError(f"no optimizer is called {name!r}", remedy)
    return CATALOGUE[name]


def hyperparameters(name: str, lr: float | None = None) -> dict[str, Value]:
    """Everything that is passed to the optimizer's class besides the parameters.

    Example:
        >>> hyperparameters("momentum", lr=0.05)
        {'lr': 0.05, 'momentum': 0.9}
    """
    chosen = entry(name)
    return {"lr": chosen.lr if lr is None else lr, **chosen.settings}


def build(name: str, values: Mapping[str, Value], parameters: Iterable[Tensor], engine: str) -> Optimizer:
    """Makes the optimizer over `parameters` with exactly the hyper-parameters `values`.

    Args:
        name: the optimizer.
        values: keywords for its class.
        parameters: what it is to step.
        engine: `cpu` for the compiled one, where it can step a parameter, or `reference` for all of them.
    """
    return entry(name).factory(parameters, engine="auto" if engine == "cpu" else engine, **values)
