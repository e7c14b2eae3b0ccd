"""The command `tune`: which search it takes, and what it prints of what was found."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from adamas.lab import optimizers, spaces, studies, tables
from adamas.lab.budget import best_after, steps_of_budget
from adamas.lab.compare import collect, spec
from adamas.lab.results import RunStore, writable_folder
from adamas.lab.spec import Value
from adamas.lab.studies import Study, Trial
from adamas.lab.trainer import Trainer
from adamas.lab.tune import FIRST_SEED, search, worth


@dataclass(frozen=True)
class Search:
    """What to tune.

    Args:
        workload: name of the workload.
        names: optimizers.
        budget: trials for each of them.
        seeds: seeds per trial.
        runs_dir: folder of finished runs.
        trainer: who trains.
    """

    workload: str
    names: list[str]
    budget: int
    seeds: int
    runs_dir: Path
    trainer: Trainer

    @property
    def rates_only(self) -> bool:
        """Whether the budget is too small for more than the learning rate."""
        return self.budget < spaces.LR_ONLY

    def scores(self, tried: list[tuple[str, dict[str, Value]]]) -> list[float]:
        """Scores settings, (optimizer, keywords), over the seeds; lower is better."""
        store = RunStore(writable_folder(self.runs_dir, "--runs-dir"))
        specs = [
            spec(self.workload, name, FIRST_SEED + seed, changed=keywords)
            for name, keywords in tried
            for seed in range(self.seeds)
        ]
        runs = collect(specs, store, self.trainer)
        return [worth(runs[at * self.seeds : (at + 1) * self.seeds]) for at in range(len(tried))]


def tune_rates(wanted: Search, console: Console) -> None:
    """Searches learning rates only, and prints what was found as a workload's file has it."""
    found = search(
        wanted.names,
        wanted.budget,
        lambda pairs: wanted.scores([(name, {"lr": rate}) for name, rate in pairs]),
    )
    best = {name: min(scores, key=lambda rate: scores[rate]) for name, scores in found.items()}
    for name, scores in found.items():
        line = "  ".join(f"{rate:g}: {scores[rate]:.2f}{' *' if rate == best[name] else ''}" for rate in sorted(scores))
        console.print(escape(f"{name:9} {line}"), soft_wrap=True)
    _show(
        {name: [Trial({"lr": rate}, score) for rate, score in scores.items()] for name, scores in found.items()},
        console,
    )
    console.print(f"learning_rates = {best}", soft_wrap=True)


def tune_space(wanted: Search, preset: str, url: str | None, console: Console) -> None:
    """Searches several hyper-parameters, and prints the best of every optimizer."""
    dimensions = {name: spaces.space(name, wanted.budget, preset) for name in wanted.names}
    folder = writable_folder(wanted.runs_dir, "--runs-dir")
    if wanted.trainer.fresh:
        (folder / "studies.journal").unlink(missing_ok=True)
    with studies.storage(url, folder) as kept:
        found = {
            name: Study(
                _name(wanted, name, preset),
                name,
                dimensions[name],
                wanted.budget,
                kept,
                shared=url is not None,
                random=preset == "algoperf",
            )
            for name in wanted.names
        }
        studies.search(
            list(found.values()),
            lambda asked: wanted.scores([(wanted.names[place], keywords) for place, keywords in asked]),
        )
        _show({name: study.trials for name, study in found.items()}, console)


def _name(wanted: Search, optimizer: str, preset: str) -> str:
    """The study's name: people read its beginning, the digest stands for all that decides a trial's score."""
    base = spec(wanted.workload, optimizer, FIRST_SEED).canonical_json()
    dimensions = spaces.space(optimizer, wanted.budget, preset)
    digest = hashlib.sha256(f"{base} {wanted.seeds} {dimensions}".encode()).hexdigest()[:12]
    return f"{wanted.workload} {optimizer} {preset} {wanted.budget} {digest}"


def _show(found: dict[str, list[Trial]], console: Console) -> None:
    """Prints the best setting of every optimizer, and its score against the budget."""
    columns = steps_of_budget(min(len(trials) for trials in found.values()))
    table = tables.plain("Best score to expect after k trials [middle 80 %]; mean ln loss")
    table.add_column("optimizer", no_wrap=True)
    for column in columns:
        table.add_column(f"k={column}", justify="right")
    for name, trials in found.items():
        scores = [trial.score for trial in trials]
        cells = []
        for column in columns:
            expected = best_after(scores, column)
            cells.append(f"{expected.mean:.2f}\n[{expected.low:.2f}, {expected.high:.2f}]")
        table.add_row(escape(optimizers.entry(name).label), *map(escape, cells))
    for name, trials in found.items():
        best = min(trials, key=lambda trial: trial.score)
        values = ", ".join(f"{key}={value}" for key, value in best.keywords.items())
        console.print(escape(f"{name}: {values}  (score {best.score:.3f})"), soft_wrap=True, highlight=False)
    console.print(table)
