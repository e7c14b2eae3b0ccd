"""Figure 4 of the Adam paper: what bias correction is for, on a variational autoencoder."""

from dataclasses import dataclass
from itertools import pairwise
from math import exp, isfinite, log
from statistics import fmean

from adamas.lab.analysis import Verdict, fewer
from adamas.lab.reproduce.claims import Measure, cost_at, shown
from adamas.lab.reproduce.figure import OWN, Arm, Figure, Judgement, Outcome
from adamas.lab.results import Run

_BETA1, _BETA2 = (0.0, 0.9), (0.99, 0.999, 0.9999)
_EARLY, _LATE = cost_at(0.1), cost_at(1.0)
_WHEN = "after a tenth of the training"
_NO_WORSE = 1.02


def _name(corrected: bool, beta1: float, beta2: float) -> str:
    return f"{'with' if corrected else 'without'} {beta1:g} {beta2:g}"


def _arm(corrected: bool, beta1: float, beta2: float) -> Arm:
    return Arm(
        name=_name(corrected, beta1, beta2),
        label=f"{'with' if corrected else 'without'} bias correction",
        optimizer="adam" if corrected else f"{OWN}:UncorrectedAdam",
        settings={"betas": (beta1, beta2)},
        panel=f"β1 = {beta1:g}, β2 = {beta2:g}",
    )


def _cost(run: Run, measure: Measure) -> float:
    """A measured cost, but no more than that of the untrained model: what diverged is worth no less than that."""
    return min(measure(run), run.result.points[0].train_loss)


def _costs(outcome: Outcome, measure: Measure, arm: str, seed: int) -> list[float]:
    return [_cost(outcome.grid[arm, rate][seed], measure) for rate in outcome.rates]


@dataclass(frozen=True)
class NoWorse:
    """That Adam is nowhere worse than without correction, each at its best learning rate."""

    measure: Measure
    when: str

    @property
    def sentence(self) -> str:
        """The claim in words."""
        return f"{self.when[0].upper()}{self.when[1:]}, Adam is equal or better with correction, for every β1 and β2"

    def judge(self, outcome: Outcome) -> Judgement:
        """Finds, for each seed, the setting in which correction does worst."""
        worst = tuple(max(self._ratios(outcome, seed)) for seed in outcome.grid_seeds)
        reading = f"the worst ratio of best costs, with to without, is {shown(worst)}; equal means up to {_NO_WORSE:g}"
        holds = all(ratio <= _NO_WORSE for ratio in worst)
        verdict = "holds" if holds else "does not hold" if min(worst) > _NO_WORSE else "undecided"
        return Judgement(verdict, reading, {"worst ratio": worst})

    def _ratios(self, outcome: Outcome, seed: int) -> list[float]:
        def best(corrected: bool, beta1: float, beta2: float) -> float:
            return min(_costs(outcome, self.measure, _name(corrected, beta1, beta2), seed))

        return [best(True, beta1, beta2) / best(False, beta1, beta2) for beta1 in _BETA1 for beta2 in _BETA2]


def _harm(outcome: Outcome, beta2: float, seed: int) -> float:
    """How much higher the early cost is without correction: geometric mean over learning rates and both beta1."""
    ratios = []
    for beta1 in _BETA1:
        pairs = zip(
            _costs(outcome, _EARLY, _name(False, beta1, beta2), seed),
            _costs(outcome, _EARLY, _name(True, beta1, beta2), seed),
            strict=True,
        )
        ratios += [log(without / corrected) for without, corrected in pairs if isfinite(without)]
    return exp(fmean(ratios))


def _harms(outcome: Outcome, beta2: float) -> tuple[float, ...]:
    return tuple(_harm(outcome, beta2, seed) for seed in outcome.grid_seeds)


@dataclass(frozen=True)
class Harmful:
    """That leaving out the correction raises the early cost where beta2 is close to 1."""

    sentence: str = f"With β2 = 0.9999, leaving out the correction raises the cost {_WHEN} by more than 5 %"

    def judge(self, outcome: Outcome) -> Judgement:
        """Compares costs at equal learning rates."""
        harms = _harms(outcome, _BETA2[-1])
        reading = f"without correction the cost is {shown(harms)} times as high, mean over learning rates and β1"
        return Judgement(fewer([1.05], harms), reading, {"times": harms})


@dataclass(frozen=True)
class Growing:
    """That the harm of leaving out the correction grows as beta2 gets closer to 1."""

    sentence: str = f"The closer β2 is to 1, the more leaving out the correction raises the cost {_WHEN}"

    def judge(self, outcome: Outcome) -> Judgement:
        """Compares the harm at neighbouring values of beta2."""
        harms = {f"β2 = {beta2:g}": _harms(outcome, beta2) for beta2 in _BETA2}
        steps: list[Verdict] = [fewer(low, high) for low, high in pairwise(harms.values())]
        order: tuple[Verdict, ...] = ("does not hold", "undecided", "holds")
        verdict = min(steps, key=order.index)
        reading = ", ".join(f"{name}: {shown(values)} times" for name, values in harms.items())
        return Judgement(verdict, reading, harms)


FIGURE = Figure(
    name="fig4",
    title="Bias correction on a variational autoencoder",
    source="Kingma and Ba 2015 (arXiv 1412.6980), figure 4",
    shows=(
        "With β2 close to 1, leaving out the bias correction makes training unstable, above all at first; with it, "
        "Adam is equal or better at every setting."
    ),
    workload="vae",
    arms=tuple(_arm(corrected, beta1, beta2) for beta1 in _BETA1 for beta2 in _BETA2 for corrected in (True, False)),
    rates=(0.001, 0.00316, 0.01, 0.0316),
    epochs=40,
    batch_size=128,
    evaluations=20,
    claims=(NoWorse(_EARLY, _WHEN), NoWorse(_LATE, "at the end"), Harmful(), Growing()),
    deviations=(
        "1,438 digits of 8x8 pixels, a hidden layer of 128 ReLU units and a code of 8; the paper has MNIST, 500 "
        "softplus units and a code of 50.",
        "40 epochs of 11 steps, looked at after 4 and after 40; the paper's are 10 and 100, of some 469 steps. So "
        "β2 = 0.9999 remembers 20 times as long as the whole training lasts.",
        "Learning rates in half decades around 0.005; the paper's are decades from 0.00001 to 0.1.",
    ),
    show="panels",
    whole_grid=True,
)
