"""Makes the page: what it offers, and the rules it computes with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from adamas import rules
from adamas.lab.optimizers import CATALOGUE
from adamas.lab.report.palette import colour, dash
from adamas.lab.templates import templates_in
from adamas.rules import Rule
from adamas.rules.cpp import example
from adamas.rules.javascript import WORDS, print_rule

SCRIPTS = ("surfaces.js", "descent.js", "map.js", "charts.js", "controls.js", "main.js")
FIRST = ("sgd", "momentum", "rmsprop", "adam")
"""Optimizers that are shown when the page is opened."""

_SHOWN: dict[str, type[Rule]] = {
    "sgd": rules.SGD,
    "momentum": rules.Momentum,
    "nesterov": rules.Nesterov,
    "adagrad": rules.Adagrad,
    "rmsprop": rules.RMSprop,
    "adam": rules.Adam,
    "adamw": rules.Adam,
    "amsgrad": rules.AMSGrad,
    "nadam": rules.NAdam,
    "radam": rules.RAdam,
    "adamax": rules.Adamax,
    "lion": rules.Lion,
}
_FIXED = {"nesterov": ("dampening",), "rmsprop": ("momentum",)}
_DECAY = {"adamw": 0.01, "lion": 0.0}
_DASHES = {"dash": "6 4", "dot": "2 3", "solid": "none"}


@dataclass(frozen=True)
class Slider:
    """A hyper-parameter's slider; `controls.js` says what positions are.

    Args:
        label: what it is called.
        kind: ``rate``, ``decay``, ``power`` or ``plain``.
        lowest: first position.
        highest: last one.
        by: distance of positions.
    """

    label: str
    kind: str
    lowest: float
    highest: float
    by: float


SLIDERS = {
    "lr": Slider("Learning rate", "rate", -96, 24, 1),
    "momentum": Slider("Momentum", "decay", 0, 3, 0.05),
    "dampening": Slider("Dampening", "plain", 0, 0.95, 0.05),
    "alpha": Slider("\N{GREEK SMALL LETTER ALPHA}, decay of the second moment", "decay", 0, 4, 0.05),
    "beta1": Slider("β₁, decay of the first moment", "decay", 0, 3, 0.05),
    "beta2": Slider("β₂, decay of the second moment", "decay", 0, 4, 0.05),
    "eps": Slider("ε", "power", -12, 0, 1),
    "weight_decay": Slider("Weight decay", "plain", 0, 1, 0.01),
    "lr_decay": Slider("Decay of the learning rate", "plain", 0, 0.1, 0.001),
    "initial_accumulator_value": Slider("First value of the sum", "plain", 0, 1, 0.01),
    "momentum_decay": Slider("Decay of the momentum", "plain", 0, 0.02, 0.001),
}

_SURFACE = re.compile(r'^  (\w+): \{\n    label: "([^"]+)",', re.MULTILINE)


def build() -> str:
    """Return the page as one HTML document that loads nothing from anywhere."""
    templates = templates_in("adamas.lab.explore")
    templates.policies["json.dumps_kwargs"] = {}  # in their order, not sorted
    surfaces = files("adamas.lab.explore").joinpath("surfaces.js").read_text(encoding="utf-8")
    return templates.get_template("template.html.jinja").render(
        surfaces=_SURFACE.findall(surfaces),
        optimizers={name: _entry(name) for name in _SHOWN},
        first=FIRST,
        sliders={name: vars(slider) for name, slider in SLIDERS.items()},
        words=WORDS,
        rules=print_rules(set(_SHOWN.values())),
        scripts=SCRIPTS,
    )


def print_rules(shown: set[type[Rule]]) -> str:
    """Return rules as a JavaScript object of their names."""
    entries = (f"{rule.__name__}: {print_rule(rule)}" for rule in sorted(shown, key=lambda rule: rule.__name__))
    return "{\n" + ",\n".join(entries) + "\n}"


def _entry(name: str) -> dict[str, object]:
    rule = _SHOWN[name]
    hyper = {key: value for key, value in vars(example(rule)).items() if isinstance(value, float)}
    hyper = {key: value for key, value in hyper.items() if key in rule.defaults or "betas" in rule.defaults}
    if name in _DECAY:
        hyper["weight_decay"] = _DECAY[name]
    return {
        "label": CATALOGUE[name].label,
        "colour": colour(name),
        "dash": _DASHES[dash(name)],
        "rule": rule.__name__,
        "formula": " ".join((rule.__doc__ or "").split("\n\n")[0].split()),
        "hyper": hyper,
        "sliders": [key for key in hyper if key not in _FIXED.get(name, ())],
    }
