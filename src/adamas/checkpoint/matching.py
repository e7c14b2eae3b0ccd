"""Which saved state belongs to which parameter: by name where both sides have names, otherwise by order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

_Groups = list[dict[str, Any]]


class LoadReport(NamedTuple):
    """What ``load_state_dict(..., strict=False)`` could not load; empty where everything fitted.

    Attributes:
        missing: names of the optimizer's parameters that the checkpoint does not have; they start afresh.
        unexpected: names in the checkpoint that the optimizer does not have; their state was left out.
        unfit: for each parameter whose saved state does not fit, what is wrong with it; they start afresh.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(map(len, self))

    def __str__(self) -> str:
        lines = []
        if self.missing:
            lines.append(f"missing in the checkpoint: {_listed(self.missing)}{_prefix_hint(self)}")
        if self.unexpected:
            lines.append(f"unexpected in the checkpoint: {_listed(self.unexpected)}")
        return "\n".join([*lines, *self.unfit]) or "everything fitted"


class Match(NamedTuple):
    """Where the state of every parameter is.

    Attributes:
        keys: for each group and place, the key that the state is saved under; None where it is missing.
        missing: names of the optimizer's parameters that were not saved.
        unexpected: saved names that the optimizer does not have.
    """

    keys: list[list[Any]]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()


def match(groups: _Groups, saved: _Groups) -> Match:
    """Find the saved state of every parameter.

    Raises:
        ValueError: if there is no name to go by and the groups have other sizes.

    Example:
        >>> saved = [{"params": [0, 1], "param_names": ["a", "b"]}]
        >>> match([{"params": ["B", "C"], "param_names": ["b", "c"]}], saved)
        Match(keys=[[1, None]], missing=('c',), unexpected=('a',))
    """
    if not (_have_names(groups) and _have_names(saved)):
        _check_sizes(groups, saved)
        return Match([list(group["params"]) for group in saved])
    by_name = {name: key for group in saved for name, key in zip(group["param_names"], group["params"], strict=True)}
    names = list(_names(groups))
    return Match(
        [[by_name.get(name) for name in group["param_names"]] for group in groups],
        tuple(name for name in names if name not in by_name),
        tuple(sorted(set(by_name) - set(names))),
    )


def _check_sizes(groups: _Groups, saved: _Groups) -> None:
    if len(groups) != len(saved):
        raise ValueError(
            f"loaded state dict has a different number of parameter groups "
            f"({len(saved)}, the optimizer has {len(groups)})"
        )
    for number, (group, new) in enumerate(zip(groups, saved, strict=True)):
        if len(group["params"]) != len(new["params"]):
            raise ValueError(
                f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group "
                f"(group {number}: {len(new['params'])} parameters, the optimizer has {len(group['params'])}). With "
                f"named_parameters() on both sides they are matched by name"
            )


def _have_names(groups: _Groups) -> bool:
    """Say whether every parameter has a name of its own."""
    if not all("param_names" in group for group in groups):
        return False
    names = list(_names(groups))
    return len(set(names)) == len(names)


def _names(groups: _Groups) -> Iterable[str]:
    return chain.from_iterable(group["param_names"] for group in groups)


def _listed(names: Iterable[str]) -> str:
    names = [repr(name) for name in names]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _prefix_hint(report: LoadReport) -> str:
    """Say so if wrappers alone (torch.compile, DistributedDataParallel) make the difference."""
    for prefix in ("_orig_mod.", "module."):
        for more, less in ((report.missing, report.unexpected), (report.unexpected, report.missing)):
            if {name.replace(prefix, "") for name in more} == set(less) != set(more):
                return f" (they differ by {prefix!r} alone: the model was wrapped on one side)"
    return ""
