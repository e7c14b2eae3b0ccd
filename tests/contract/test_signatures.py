"""The constructors: torch's parameters, in torch's order, with torch's defaults; ours only by keyword."""

from __future__ import annotations

import inspect

import torch

import adamas

from .pairs import NAMES, every_name, every_torch_name, ours
from .training import weights

OURS = {
    "decay_mode": "auto",
    "engine": "auto",
    "state_format": "auto",
    "rounding": "auto",
    "seed": 0,
    "nonfinite": "propagate",
    "max_skips": None,
    "clip_norm": None,
    "clip_update": None,
}
VARIANTS = {"eps_mode": "add", "cautious": False, "nesterov": False}  # of Adam and AdamW
SPARSE = {"sparse": "exact", "row_steps": False}  # of Adam and AdamW: all others are lazy
LION = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(cls).parameters)


def positional(cls: type) -> list[tuple[str, object]]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [(p.name, p.default) for p in parameters(cls).values() if p.kind in kinds]


def by_keyword(cls: type) -> dict[str, object]:
    return {p.name: p.default for p in parameters(cls).values() if p.kind is inspect.Parameter.KEYWORD_ONLY}


@every_torch_name
def test_positional_parameters_are_torchs(name: str):
    assert positional(getattr(adamas, name)) == positional(getattr(torch.optim, name))


@every_torch_name
def test_keywords_are_torchs_and_ours(name: str):
    more = {**OURS, **({**VARIANTS, **SPARSE} if name in ("Adam", "AdamW") else {})}
    assert by_keyword(getattr(adamas, name)) == {**by_keyword(getattr(torch.optim, name)), **more}


def test_lion_has_the_papers_parameters():
    assert positional(adamas.Lion) == [("params", inspect.Parameter.empty), *LION.items()]
    assert by_keyword(adamas.Lion).items() >= {"maximize": False, **OURS}.items()


@every_torch_name
def test_defaults_are_torchs(name: str):
    mine = getattr(adamas, name)(weights())
    other = getattr(torch.optim, name)(weights())
    assert mine.defaults.items() >= other.defaults.items()
    groups = {key: value for key, value in other.param_groups[0].items() if key != "params"}
    assert mine.param_groups[0].items() >= groups.items()


@every_torch_name
def test_public_attributes_are_torchs(name: str):
    theirs_public = {attribute for attribute in dir(getattr(torch.optim, name)) if not attribute.startswith("_")}
    assert theirs_public <= set(dir(getattr(adamas, name)))


@every_name
def test_is_a_torch_optimizer_with_a_docstring(name: str):
    cls = getattr(adamas, name)
    assert issubclass(cls, torch.optim.Optimizer)
    assert (cls.__name__, cls.__module__.split(".")[0]) == (name, "adamas")
    assert cls.__doc__ != torch.optim.Optimizer.__doc__


@every_name
def test_ours_only_by_keyword(name: str):
    assert OURS.keys() <= by_keyword(getattr(adamas, name)).keys()


@every_name
def test_repr_shows_the_hyper_parameters_of_each_group(name: str):
    a, b, _ = weights()
    shown = repr(ours(name, [{"params": [a]}, {"params": [b], "lr": 0.125}]))
    assert shown.startswith(f"{name} (\nParameter Group 0\n")
    assert "lr: 0.125" in shown.split("Parameter Group 1")[1]


def test_names_are_public():
    assert set(NAMES) <= set(adamas.__all__)
