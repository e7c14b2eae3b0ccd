"""The heat map of the AdamW paper: learning rate by weight decay, L2 regularization against decoupled decay."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import StatisticsError, correlation, median

from adamas.lab.analysis import fewer
from adamas.lab.reproduce.claims import shown
from adamas.lab.reproduce.figure import Arm, Figure, Judgement, Outcome
from adamas.lab.results import Run
from adamas.lab.spec import Value

_L2, _DECOUPLED = "L2 regularization", "decoupled weight decay"
_L2_DECAYS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_DECOUPLED_DECAYS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_BASIN = 0.25


class Apart(Arm):
    """AdamW with a decay per step that the learning rate does not scale, as in the paper.

    PyTorch's weight decay, and Adamas', is multiplied by the learning rate; so it is divided by it here.
    """

    def hyperparameters(self, rate: float) -> dict[str, Value]:
        """Everything that is passed to AdamW at this learning rate."""
        given = super().hyperparameters(rate)
        decay = given["weight_decay"]
        assert isinstance(decay, float)
        return {**given, "weight_decay": decay / rate}


_DECAYS: Mapping[str, dict[float, str]] = {
    _L2: {decay: f"L2 {decay:g}" for decay in _L2_DECAYS},
    _DECOUPLED: {decay: f"decoupled {decay:g}" for decay in _DECOUPLED_DECAYS},
}


def error(run: Run) -> float:
    """Share of unseen examples that the model gets wrong at the end; 1 if it diverged."""
    return 1.0 if run.result.diverged else 1.0 - run.result.points[-1].test_metric


def tilt(errors: Mapping[tuple[float, float], float]) -> float:
    """How diagonal a basin is: the correlation of log lr and log decay over the cells of least error.

    Args:
        errors: by learning rate and decay.

    Returns:
        Near 0 where the basin lies along the axes, near -1 or 1 where it is diagonal.

    Example:
        >>> grid = [(10.0**a, 10.0**b) for a in range(6) for b in range(6)]
        >>> round(tilt({(x, y): abs(math.log10(x * y) - 5) for x, y in grid}), 1)      # lr * decay matters
        -0.9
        >>> tilt({(x, y): math.hypot(math.log10(x) - 2.5, math.log10(y) - 2.5) for x, y in grid})
        0.0
    """
    bound = sorted(errors.values())[math.ceil(len(errors) * _BASIN) - 1]
    basin = [(math.log10(rate), math.log10(decay)) for (rate, decay), value in errors.items() if value <= bound]
    try:
        return round(correlation(*zip(*basin, strict=True)), 3)
    except StatisticsError:
        return 0.0  # one learning rate or one decay: along an axis, as it could not be more


def _errors(outcome: Outcome, panel: str, seed: int) -> dict[tuple[float, float], float]:
    return {
        (rate, decay): error(outcome.grid[name, rate][seed])
        for decay, name in _DECAYS[panel].items()
        for rate in outcome.rates
    }


@dataclass(frozen=True)
class Tilted:
    """That the basin of one kind of decay is diagonal, or that it is not."""

    panel: str
    diagonal: bool
    sentence: str

    def judge(self, outcome: Outcome) -> Judgement:
        """Measures the tilt for each seed."""
        tilts = tuple(tilt(_errors(outcome, self.panel, seed)) for seed in outcome.grid_seeds)
        sizes = [abs(value) for value in tilts]
        verdict = fewer([0.5], sizes) if self.diagonal else fewer(sizes, [0.25])
        return Judgement(verdict, f"correlation in the basin {shown(tilts)}", {"correlation": tilts})


@dataclass(frozen=True)
class Straighter:
    """That the basin of decoupled decay is less diagonal than that of L2."""

    sentence: str = "The basin of decoupled decay is less diagonal than that of L2"

    def judge(self, outcome: Outcome) -> Judgement:
        """Compares the tilts of all seeds."""
        sizes = {
            panel: tuple(abs(tilt(_errors(outcome, panel, seed))) for seed in outcome.grid_seeds)
            for panel in (_DECOUPLED, _L2)
        }
        reading = f"size of the correlation {shown(sizes[_DECOUPLED])} against {shown(sizes[_L2])}"
        return Judgement(fewer(sizes[_DECOUPLED], sizes[_L2]), reading, sizes)


@dataclass(frozen=True)
class Better:
    """That the best cell of decoupled decay has a lower test error than the best cell of L2."""

    sentence: str = "At its best, decoupled decay generalizes better than L2"

    def judge(self, outcome: Outcome) -> Judgement:
        """Compares the test errors, over seeds, of the cells whose median error is least."""
        best = {panel: self._best(outcome, panel) for panel in (_DECOUPLED, _L2)}
        reading = f"test error in percent {shown(best[_DECOUPLED])} against {shown(best[_L2])}"
        return Judgement(fewer(best[_DECOUPLED], best[_L2]), reading, best)

    def _best(self, outcome: Outcome, panel: str) -> tuple[float, ...]:
        cells = [outcome.grid[name, rate] for name in _DECAYS[panel].values() for rate in outcome.rates]
        errors = [tuple(100 * error(run) for run in runs) for runs in cells]
        return min(errors, key=median)


FIGURE = Figure(
    name="adamw",
    title="Learning rate by weight decay: L2 against decoupled",
    source="Loshchilov and Hutter 2019 (arXiv 1711.05101), figure 2",
    shows=(
        "With L2 the basin of good settings is diagonal: whoever changes the learning rate must change the decay "
        "with it. Decoupled decay has a basin along the axes, and a lower test error."
    ),
    workload="mlp@mnist5k",
    arms=(
        *(Arm(name, f"{decay:g}", "adam", {"weight_decay": decay}, _L2) for decay, name in _DECAYS[_L2].items()),
        *(
            Apart(name, f"{decay:g}", "adamw", {"weight_decay": decay}, _DECOUPLED)
            for decay, name in _DECAYS[_DECOUPLED].items()
        ),
    ),
    rates=(0.0003, 0.001, 0.003, 0.01, 0.03),
    epochs=12,
    batch_size=128,
    evaluations=3,
    claims=(
        Tilted(_L2, True, "The basin of L2 is diagonal: correlation of log lr and log decay beyond 0.5"),
        Tilted(_DECOUPLED, False, "The basin of decoupled decay lies along the axes: correlation within 0.25"),
        Straighter(),
        Better(),
    ),
    deviations=(
        "A two-layer perceptron with dropout 0.2 on 4,000 images of MNIST instead of a ResNet on CIFAR-10; 372 steps.",
        "The learning rate is constant; the paper anneals it by a cosine.",
        "Decoupled decay is given per step, apart from the learning rate, as in the paper; PyTorch and Adamas multiply "
        "it by the learning rate, so it is divided by it here.",
        "The grid is 5 by 5; at an edge the learning rates are widened, the decays are not.",
    ),
    show="heatmaps",
    whole_grid=True,
)
