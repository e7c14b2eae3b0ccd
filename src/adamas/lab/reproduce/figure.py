"""What a figure is: a workload, the curves on it, a grid of learning rates, and what is claimed of the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from adamas.lab import optimizers, workloads
from adamas.lab.analysis import Verdict
from adamas.lab.results import Run
from adamas.lab.spec import RunSpec, Value

SEARCH_SEED = 1000
"""Seeds of a search start here: no learning rate is judged on the seeds it was chosen with."""

OWN = "adamas.lab.reproduce.optimizers"
"""Where the optimizers are that only these figures need."""

Show = Literal["curves", "panels", "heatmaps"]


@dataclass(frozen=True)
class Arm:
    """One curve of a figure: an optimizer with settings of its own, of which only the learning rate varies.

    Args:
        name: what claims call it; unique in its figure.
        label: what the page calls it.
        optimizer: name of the optimizer.
        settings: hyper-parameters besides the learning rate, where they are not the optimizer's own.
        panel: the part of the figure it belongs to, where the figure has several.
    """

    name: str
    label: str
    optimizer: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    panel: str = ""

    def hyperparameters(self, rate: float) -> dict[str, Value]:
        """Everything that is passed to the optimizer's class at this learning rate.

        Example:
            >>> Arm("adam", "Adam", "adam", {"betas": (0.0, 0.99)}).hyperparameters(0.1)
            {'lr': 0.1, 'betas': (0.0, 0.99)}
        """
        return {**optimizers.hyperparameters(self.optimizer, rate), **self.settings}


@dataclass(frozen=True)
class Trained:
    """The runs of an arm at one learning rate, ordered by seed."""

    rate: float
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Outcome:
    """All runs of a figure.

    Args:
        rates: the learning rates of every arm, ascending, after widening.
        grid: the runs by the arm's name and learning rate: of the search, or of the figure itself.
        best: by the arm's name, its best learning rate and the runs of it that are judged.
    """

    rates: tuple[float, ...]
    grid: Mapping[tuple[str, float], tuple[Run, ...]]
    best: Mapping[str, Trained]

    @property
    def grid_seeds(self) -> range:
        """Places of the seeds in every cell of the grid."""
        return range(len(next(iter(self.grid.values()))))


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict, and the numbers it rests on in words and by seed."""

    verdict: Verdict
    reading: str
    numbers: Mapping[str, tuple[float, ...]]


class Claim(Protocol):
    """Something a paper says that runs can decide."""

    @property
    def sentence(self) -> str:
        """The claim in words, with what counts as holding."""
        ...

    def judge(self, outcome: Outcome) -> Judgement:
        """Judges it."""
        ...


@dataclass(frozen=True)
class Figure:
    """A figure of a paper on a stand-in that trains in minutes.

    Args:
        name: what the command line calls it.
        title: one line for the page.
        source: the paper and its figure.
        shows: what the paper's figure shows, in a sentence.
        workload: name of the workload that stands in.
        arms: its curves.
        rates: learning rates, ascending by a constant factor; the same for all arms, and widened for all of them
            as long as the best rate of one (of a panel, if the figure is the grid) is an edge.
        epochs: passes over the training data.
        batch_size: examples per step.
        evaluations: how often the cost is measured, at equal distances.
        claims: what is judged.
        deviations: everything that differs from the paper.
        show: `curves`: cost over steps at every arm's best rate; `panels`: cost over learning rates, a panel each;
            `heatmaps`: arms by learning rates, a map for each panel.
        whole_grid: the figure is the grid itself: all of it is trained with the seeds that are judged.
        seeds: paired seeds that are judged.
        search_seeds: other seeds, on which learning rates are chosen.
    """

    name: str
    title: str
    source: str
    shows: str
    workload: str
    arms: tuple[Arm, ...]
    rates: tuple[float, ...]
    epochs: int
    batch_size: int
    evaluations: int
    claims: tuple[Claim, ...]
    deviations: tuple[str, ...]
    show: Show = "curves"
    whole_grid: bool = False
    seeds: int = 3
    search_seeds: int = 2

    @property
    def steps(self) -> int:
        """Training steps of one run."""
        return self.epochs * (len(workloads.load(self.workload).data().train[0]) // self.batch_size)

    def spec(self, arm: Arm, rate: float, seed: int) -> RunSpec:
        """Specifies one of its runs."""
        steps = self.steps
        return RunSpec(
            workload=self.workload,
            workload_digest=workloads.digest(self.workload),
            optimizer=arm.optimizer,
            hyperparameters=arm.hyperparameters(rate),
            seed=seed,
            steps=steps,
            batch_size=self.batch_size,
            eval_every=max(1, steps // self.evaluations),
        )
