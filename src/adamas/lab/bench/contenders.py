"""Who is timed: one adapter per optimizer, found by import string, so that no peer has to be installed.

To add a peer, add a line to `ADAPTERS` and name it in a case. Without touching the code,
`--peers torch,my_package.my_module:MyAdamW` times any class that takes
`(params, lr, betas, eps, weight_decay)`.
"""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from adamas.lab.bench.cases import CASES, Case, Entry
from adamas.lab.errors import LabError

HYPER: dict[str, Any] = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 1e-2}
"""What every contender is built with; the values change no step time."""


@dataclass(frozen=True)
class Adapter:
    """How to build one optimizer.

    Attributes:
        name: how `--peers` calls it.
        target: import string `package.module:Class`; called as `Class(params, **HYPER, **options)`.
        options: keyword arguments on top of `HYPER`.
        without: those of `HYPER` that it does not take.

    Example:
        >>> Adapter("torch-fused", "torch.optim:AdamW", {"fused": True}).missing() is None
        True
        >>> Adapter("mine", "no_such_package.optim:AdamW").missing()
        'no_such_package is not installed'
    """

    name: str
    target: str
    options: dict[str, Any] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    @property
    def package(self) -> str:
        """The top-level package, which is also the name of the family in `--peers`."""
        return self.target.partition(":")[0].partition(".")[0]

    def missing(self) -> str | None:
        """Say why this optimizer can't be timed here, or None; nothing is imported to find out."""
        return None if find_spec(self.package) else f"{self.package} is not installed"

    def keywords(self, more: dict[str, Any]) -> dict[str, Any]:
        """Return all that it is called with beside the parameters.

        Example:
            >>> ADAPTERS["torch-sparse"].keywords({"lr": 0.1})
            {'lr': 0.1, 'betas': [0.9, 0.999], 'eps': 1e-08}
        """
        return {word: value for word, value in HYPER.items() if word not in self.without} | self.options | more


_NO_DECAY = frozenset({"weight_decay"})

_ALL = (
    Adapter("adamas", "adamas:AdamW"),
    Adapter("torch-fused", "torch.optim:AdamW", {"fused": True}),
    Adapter("torch-foreach", "torch.optim:AdamW", {"foreach": True}),
    Adapter("torch-loop", "torch.optim:AdamW", {"foreach": False, "fused": False}),
    Adapter("torch-sparse", "torch.optim:SparseAdam", without=_NO_DECAY),
    Adapter("adamas-sparse", "adamas:SparseAdam", without=_NO_DECAY),
    Adapter("bitsandbytes-8bit", "bitsandbytes.optim:AdamW8bit"),
    Adapter("torchao-8bit", "torchao.optim:AdamW8bit"),
    Adapter("deepspeed", "deepspeed.ops.adam:DeepSpeedCPUAdam", {"adamw_mode": True}),
    Adapter("schedulefree", "schedulefree:AdamWScheduleFree"),
    Adapter("pytorch_optimizer", "pytorch_optimizer:AdamW"),
)

ADAPTERS: dict[str, Adapter] = {adapter.name: adapter for adapter in _ALL}


def adapter_of(entry: Entry) -> Adapter:
    """Find the adapter of a case's entry; an import string is an adapter by itself.

    Example:
        >>> adapter_of(Entry("x", "torch.optim:Adamax")).package
        'torch'
    """
    if ":" in entry.adapter:
        return Adapter(entry.adapter, entry.adapter)
    return ADAPTERS[entry.adapter]


def choose(case: Case, peers: list[str] | None) -> list[Entry]:
    """Pick the entries of a case that `--peers` asks for; all of them without it.

    A peer is a contender's name (`adamas-reference`), or an adapter (`torch-fused`) or package (`torch`) for all
    of its contenders, or an import string, which becomes one more contender.

    Example:
        >>> from adamas.lab.bench.cases import P1, P9
        >>> [entry.name for entry in choose(P1, ["adamas", "torch-fused"])]
        ['adamas', 'torch-fused']
        >>> [entry.name for entry in choose(P9, ["adamas"])]
        ['adamas-grouped', 'adamas-one-group']
    """
    if peers is None:
        return list(case.entries)
    names = {entry.name for entry in case.entries}
    wider = set(peers) - names
    chosen = [
        entry for entry in case.entries if entry.name in peers or {entry.adapter, adapter_of(entry).package} & wider
    ]
    return chosen + [Entry(peer, peer) for peer in peers if ":" in peer]


def check_peers(peers: list[str]) -> None:
    """Refuse a peer that no case knows.

    Raises:
        LabError: with the names there are.

    Example:
        >>> check_peers(["torch", "my_package.optim:MyAdamW"])
        >>> check_peers(["jax"])
        Traceback (most recent call last):
        ...
        adamas.lab.errors.LabError: no peer is called 'jax': give some of adamas, ...
    """
    families = {adapter.package for adapter in _ALL}
    entries = {entry.name for case in CASES.values() for entry in case.entries}
    known = families | set(ADAPTERS) | entries
    for peer in peers:
        if peer not in known and ":" not in peer:
            remedy = f"give some of {', '.join(sorted(known))}, or an import string package.module:Class"
            raise LabError(f"no peer is called {peer!r}", remedy)
