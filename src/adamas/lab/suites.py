"""Named lists of workloads, for comparing on several at once. A suite grows by a name in its line."""

from collections.abc import Mapping
from difflib import get_close_matches

from adamas.lab.errors import LabError

SUITES: Mapping[str, tuple[str, ...]] = {
    "quick": ("logreg", "bow", "embed", "mlp", "cnn"),
}


def suite(name: str) -> tuple[str, ...]:
    """The workloads of a suite.

    Raises:
        LabError: there is no such suite.

    Example:
        >>> "mlp" in suite("quick")
        True
    """
    if name not in SUITES:
        close = get_close_matches(name, SUITES, n=1)
        raise LabError(
            f"no suite is called {name!r}", f"did you mean {close[0]!r}?" if close else f"there are {', '.join(SUITES)}"
        )
    return SUITES[name]
