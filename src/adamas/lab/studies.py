"""Searching several hyper-parameters with Optuna: a quasi-random start, then TPE, one study per optimizer.

A study is a function of its finished trials: what the next trial tries is drawn with a seed of the study's
name and the number of trials before it. So a search that was killed goes on as if it had not been, and a study
in a database can be worked on by several machines, which then see each other's trials.
"""

import os
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.samplers import PartialFixedSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from adamas.lab import spaces
from adamas.lab.errors import LabError, first_line
from adamas.lab.spaces import Dimension
from adamas.lab.spec import Value
from adamas.lab.streams import stream_seed

_OWNER = "owner"
_SCHEME = "postgresql://"
_START_SHARE = 3
"""One in so many trials, but at least five, belongs to the quasi-random start."""


@dataclass(frozen=True)
class Trial:
    """A setting that was tried: the keywords of the optimizer's class, and their score (lower is better)."""

    keywords: dict[str, Value]
    score: float


@contextmanager
def storage(url: str | None, folder: Path) -> Iterator[BaseStorage]:
    """Opens where studies are kept: a journal file in the folder, or the database of a URL.

    Raises:
        LabError: the database can't be reached, its driver is missing, or it is another kind of database (SQLite
            locks when several workers write).
    """
    if url is not None and not url.startswith(_SCHEME):
        raise LabError(
            f"--storage {url!r} is no PostgreSQL database", f"give {_SCHEME}USER:PASSWORD@HOST:PORT/DATABASE"
        )
    if url is None:
        yield JournalStorage(JournalFileBackend(str(folder / "studies.journal")))
        return
    database = _database(url)
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


def _database(url: str) -> RDBStorage:
    try:
        # psycopg 3 brings its own libpq; SQLAlchemy would look for psycopg2 under this name.
        return RDBStorage(url.replace(_SCHEME, "postgresql+psycopg://", 1))
    except ImportError as error:
        raise LabError(f"the storage needs a driver ({first_line(error)})", "pip install 'adamas[cluster]'") from error
    except Exception as error:
        cause = error.__cause__ or error
        raise LabError(
            f"can't reach the study storage ({first_line(cause)})",
            "see that the database runs and that the URL is postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        ) from error


class Study:
    """The search of one optimizer's hyper-parameters.

    Args:
        name: everything that tells this search from another.
        optimizer: whose hyper-parameters.
        dimensions: what to search.
        budget: trials.
        kept: where trials are kept.
        shared: other machines may work on the same study.
        random: draw all trials quasi-randomly, none by TPE.
    """

    def __init__(
        self,
        name: str,
        optimizer: str,
        dimensions: tuple[Dimension, ...],
        budget: int,
        kept: BaseStorage,
        *,
        shared: bool = False,
        random: bool = False,
    ):
        self._name, self._optimizer, self._dimensions = name, optimizer, dimensions
        self._budget, self._shared = budget, shared
        self._start = budget if random else max(5, budget // _START_SHARE)
        self._defaults = not random
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(storage=kept, study_name=name, load_if_exists=True)

    @property
    def trials(self) -> list[Trial]:
        """The finished trials in order, no more than the budget."""
        return [
            Trial(spaces.keywords(self._optimizer, trial.params), trial.value)
            for trial in self._finished()[: self._budget]
            if trial.value is not None
        ]

    @property
    def done(self) -> bool:
        """Whether the budget is spent."""
        return len(self._finished()) >= self._budget

    def ask(self) -> tuple[int, dict[str, Value]]:
        """The number of the next trial, and the keywords it tries."""
        finished = self._finished()
        index = len(finished) + len(self._under_way())
        best = min(finished, key=lambda trial: trial.value if trial.value is not None else 0.0, default=None)
        dimensions = tuple(each.widened(best.params[each.name] if best else None) for each in self._dimensions)
        self._study.sampler = self._sampler(index, dimensions)
        trial = self._study.ask()
        trial.set_user_attr(_OWNER, f"{socket.gethostname()}:{os.getpid()}")
        found = {each.name: trial.suggest_float(each.name, each.low, each.high, log=True) for each in dimensions}
        return trial.number, spaces.keywords(self._optimizer, found)

    def tell(self, number: int, score: float) -> None:
        """Says how a trial came out."""
        self._study.tell(number, score)

    def _finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def _under_way(self) -> list[FrozenTrial]:
        """Trials of other machines; in a file there are none, and what is left there was killed."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if self._shared else []

    def _sampler(self, index: int, dimensions: tuple[Dimension, ...]) -> optuna.samplers.BaseSampler:
        tpe = TPESampler(seed=stream_seed(index, self._name) % 2**32, n_startup_trials=0, constant_liar=self._shared)
        if index >= self._start:
            return tpe
        if index == 0 and self._defaults:
            return _fixed(spaces.defaults(self._optimizer, dimensions), tpe)
        with warnings.catch_warnings():
            # Sobol's balance holds for powers of two; a budget is what it is.
            warnings.simplefilter("ignore", UserWarning)
            points = qmc.Sobol(len(dimensions), rng=stream_seed(0, self._name) % 2**32).random(index + 1)
        # From the unit interval to the range, on a logarithmic scale.
        point = {
            each.name: each.low * (each.high / each.low) ** float(place)
            for each, place in zip(dimensions, points[index], strict=True)
        }
        return _fixed(point, tpe)


def _fixed(point: dict[str, float], otherwise: TPESampler) -> PartialFixedSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return PartialFixedSampler(point, otherwise)


def search(studies: Sequence[Study], evaluate: Callable[[list[tuple[int, dict[str, Value]]]], list[float]]) -> None:
    """Brings every study to the end of its budget, one trial of each per round.

    Args:
        studies: one per optimizer.
        evaluate: scores (place of the study, keywords), given one round of them at a time.

    Raises:
        LabError: the storage is gone.
    """
    try:
        while open_studies := [place for place, study in enumerate(studies) if not study.done]:
            asked = [(place, *studies[place].ask()) for place in open_studies]
            scores = evaluate([(place, keywords) for place, _, keywords in asked])
            for (place, number, _), score in zip(asked, scores, strict=True):
                studies[place].tell(number, score)
    except StorageInternalError as error:
        raise LabError(
            f"the study storage is gone ({first_line(error)})", "the same command again once it is back, it goes on"
        ) from error
