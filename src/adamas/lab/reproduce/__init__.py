"""Figures of the literature, made again: each is a small file of data, all share one runner.

`adamas reproduce` runs them. To add a figure, write a module with a `FIGURE` and list it here.
"""

from difflib import get_close_matches
from importlib import import_module

from adamas.lab.errors import LabError
from adamas.lab.reproduce.figure import Figure

FIGURES = ("fig1a", "fig1b", "fig2", "fig3", "fig4", "adamw")
"""Names of the figures; each is a module of this package."""


def load(name: str) -> Figure:
    """Looks a figure up.

    Raises:
        LabError: there is no such figure.

    Example:
        >>> load("fig1a").workload
        'logreg@fashion'
    """
    if name not in FIGURES:
        close = get_close_matches(name, FIGURES, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FIGURES)}, or all of them as all"
        raise LabError(f"no figure is called {name!r}", remedy)
    return import_module(f"adamas.lab.reproduce.{name}").FIGURE
