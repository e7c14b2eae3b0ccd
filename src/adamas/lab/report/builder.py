"""The report of a comparison: what its page shows, computed from runs."""

import math
from collections.abc import Mapping, Sequence

from adamas.lab import optimizers, text, workloads
from adamas.lab.analysis import Standing, Summary, standings, summarize
from adamas.lab.claims import judge
from adamas.lab.environment import Environment
from adamas.lab.profiles import profiles
from adamas.lab.report import charts, doctor, internals, palette, pictures, summary, sweep_charts
from adamas.lab.report.page import Cell, Chart, Group, Page, Section, Table, render
from adamas.lab.report.sweeps import Trial, compared, trials
from adamas.lab.results import Run

_ENOUGH = 3
"""Settings of one optimizer from which on it is drawn over them."""

_PICTURED = 4
"""Optimizers of a workload whose pictures and internals are shown, the best first."""

NOTES = (
    "Lines and single numbers are medians over seeds; bands and ranges in brackets go from the least to the "
    "greatest seed. With a given seed, every optimizer has the same initial weights, the same batches in the same "
    "order and the same dropout.",
    "Train loss is the mean over the training set, or a fixed part of it, in evaluation mode. The target is a loss, "
    "because on easy data accuracy tells no optimizers apart; of several, the lab's own targets are those that "
    "tell the most pairs of tuned optimizers apart, on other seeds.",
    "The target is reached at the first evaluation at or under it that is followed by another such; for good is the "
    "step after which the loss never rises above it again. What was not reached is ∞, and counts as such in medians.",
    "A claim holds if the slowest seed of the one is ahead of the fastest seed of the other, and does not hold if "
    "it is the other way round. Where the bands overlap it is undecided.",
    "First: its seed band lies wholly before all others. Tied: it overlaps the band of the least median. Behind: "
    "wholly after that. Missed: more than half of the seeds never reach the target.",
    "Times cover training steps only, evaluation is off the clock; optimizer / step is the median time inside "
    "optimizer.step(), and in parentheses the optimizer's part of all training time. State is what the optimizer "
    "keeps between steps.",
    "Unless a summary says otherwise, learning rates were tuned for the workload, on other seeds and with the same "
    "number of trials for every optimizer; all else is at its default.",
)

_SWEEP_NOTES = (
    "Mean train loss, over learning rates and over trials, is the geometric mean over the evaluations of a run: a "
    "fast start and a low end both count. What diverged has none, and is counted below the curve.",
    "The best of k trials is what tuning with a budget of k would give on average, if the trials were a random "
    "choice of those that were made; the band holds 80 % of such choices.",
)

_PROFILE_NOTE = (
    "A performance profile (Dolan and Moré 2002) says on how many workloads an optimizer needs no more than so many "
    "times the steps of the best one there: the higher and the further left, the better. The score is its mean over "
    "factors from 1 to 4."
)


def _ranked(summaries: Sequence[Summary]) -> list[Summary]:
    return sorted(summaries, key=lambda s: (s.first.median, s.lasting.median, s.loss_at(s.steps[-1]).median))


def _place(standing: Standing, steps: str) -> Cell:
    order = {"first": 0, "tied": 1, "behind": 2, "missed": 3}[standing]
    return Cell(f"{standing}, {steps}" if standing != "missed" else standing, order, mark=standing)


def _verdicts(by_workload: Mapping[str, Sequence[Summary]]) -> Section:
    """First of all: who is ahead where, and whether what the literature says is so here."""
    places = {name: standings(summaries) for name, summaries in by_workload.items()}
    steps = {
        (s.workload, s.optimizer): text.significant(s.first.median, 6)
        for summaries in by_workload.values()
        for s in summaries
    }
    names = dict.fromkeys(s.optimizer for summaries in by_workload.values() for s in _ranked(summaries))
    columns = tuple(by_workload)
    rows = tuple(
        (
            Cell(optimizers.entry(name).label, colour=palette.colour(name)),
            *(
                _place(places[workload][name], steps[workload, name])
                if name in places[workload]
                else Cell("", math.inf)
                for workload in columns
            ),
        )
        for name in names
    )
    parts = [Table("Standings, with steps to the target", ("optimizer", *columns), rows, words=1 + len(columns))]
    judged = judge([s for summaries in by_workload.values() for s in summaries])
    if judged:
        verdicts = tuple(
            (
                Cell(each.claim.sentence),
                *(
                    Cell(each.verdicts[name], mark=each.verdicts[name]) if name in each.verdicts else Cell("")
                    for name in columns
                ),
            )
            for each in judged
        )
        parts.append(
            Table("Claims from the literature", ("claim", *columns), verdicts, words=1 + len(columns), wrap=True)
        )
    finding = "Who reaches the target first, after how many steps; and whether what the literature says is so here."
    return Section("Verdicts", tuple(parts), finding=finding)


def _sweeps(by_optimizer: Mapping[str, Sequence[Trial]]) -> list[Chart]:
    """Sensitivity where there are several learning rates, score against budget where there are several trials."""
    found = []
    over_rates = {name: each for name, each in by_optimizer.items() if len({trial.lr for trial in each}) >= _ENOUGH}
    if over_rates:
        one_each = {name: _best_at_each_rate(each) for name, each in over_rates.items()}
        note = "Below: share of seeds that diverged."
        found.append(Chart("Learning rate sensitivity", sweep_charts.sensitivity(one_each), note, height=400))
    several = {name: each for name, each in by_optimizer.items() if len(each) >= _ENOUGH}
    if several:
        note = "Expected best after k trials, with the band of 80 % of draws."
        found.append(Chart("Score against tuning budget", sweep_charts.budget(several), note, height=400))
    return found


def _best_at_each_rate(options: Sequence[Trial]) -> list[Trial]:
    rates = sorted({trial.lr for trial in options})
    return [min((t for t in options if t.lr == rate), key=lambda t: t.score) for rate in rates]


def _seen(ranked: Sequence[Summary]) -> list[Group]:
    """What the optimizer did inside and what the model looks like, from the first seed of the best optimizers."""
    groups = []
    for place, each in enumerate(ranked[:_PICTURED]):
        result, label = each.runs[0].result, optimizers.entry(each.optimizer).label
        if inside := internals.parts(result.internals):
            groups.append(Group(inside, f"Inside the optimizer: {label}", unfolded=place == 0))
    for each in ranked[:_PICTURED]:
        seen, label = each.runs[0].result.diagnosis, optimizers.entry(each.optimizer).label
        if seen is not None:
            groups.append(Group(doctor.parts(seen), f"What the doctor says: {label}"))
    for place, each in enumerate(ranked[:_PICTURED]):
        result, label = each.runs[0].result, optimizers.entry(each.optimizer).label
        if drawn := tuple(pictures.part(picture) for picture in result.pictures):
            groups.append(Group(drawn, f"Pictures of the model trained by {label}", unfolded=place == 0))
    return groups


def _section(name: str, summaries: Sequence[Summary], by_optimizer: Mapping[str, Sequence[Trial]]) -> Section:
    workload, ranked, places = workloads.load(name), _ranked(summaries), standings(summaries)
    drawn = (
        Chart("Train loss", charts.loss_curves(summaries), curves=True),
        Chart(f"Test {workload.metric_name}", charts.metric_curves(summaries), curves=True),
        Chart("Steps to the target, one dot per seed", charts.target_dots(ranked), height=260),
        Chart("Time in the optimizer", charts.optimizer_time(ranked), height=260),
        *_sweeps(by_optimizer),
    )
    return Section(
        title=workload.title,
        facts=summary.facts(workload, summaries),
        finding=summary.finding(ranked, places),
        parts=(summary.table(workload, ranked, places), Group(drawn), *_seen(ranked)),
    )


def _across(summaries: Sequence[Summary]) -> list[Section]:
    """Performance profiles, where there are several workloads and an optimizer that was run on all of them."""
    found = profiles(summaries) if len({each.workload for each in summaries}) > 1 else []
    if not found:
        return []
    rows = tuple(
        (Cell(optimizers.entry(each.optimizer).label, colour=palette.colour(each.optimizer)), Cell(f"{each.score:.3f}"))
        for each in found
    )
    chart = Chart("Share of workloads within a factor of the best", sweep_charts.profiles(found), height=320)
    table = Table("Scores", ("optimizer", "score"), rows)
    return [Section("Across workloads", (Group((chart,)), table), finding=_PROFILE_NOTE)]


def environments(runs: Sequence[Run]) -> list[Environment]:
    """The distinct environments the runs were made in; more than one means timings that can't be compared."""
    return list({run.environment.model_dump_json(): run.environment for run in runs}.values())


def _lead(runs: Sequence[Run], chosen: Sequence[Run], workload_count: int) -> str:
    def counted(number: int, noun: str) -> str:
        return f"{number:,} {noun}{'' if number == 1 else 's'}"

    seconds = text.duration(math.fsum(run.result.points[-1].seconds for run in runs))
    parts = (
        counted(len({run.spec.optimizer for run in chosen}), "optimizer"),
        counted(workload_count, "workload"),
        counted(len({run.spec.seed for run in chosen}), "paired seed"),
    )
    return f"{', '.join(parts)}: {counted(len(runs), 'run')}, {seconds} of training."


def build(runs: Sequence[Run], command: str) -> str:
    """Makes the report as one HTML document that loads nothing from anywhere.

    Args:
        runs: finished runs, of any workloads and optimizers. Where an optimizer has several settings, the best one is
            compared, and all of them are drawn over the learning rate and against the tuning budget.
        command: the command line that made them, shown so that it can be repeated.
    """
    chosen = compared(runs)
    summaries = summarize(chosen)
    by_workload: dict[str, list[Summary]] = {}
    for each in summaries:
        by_workload.setdefault(each.workload, []).append(each)
    options = trials(runs)
    sections = [
        _section(name, each, {s.optimizer: options[name, s.optimizer] for s in each})
        for name, each in by_workload.items()
    ]
    swept = any(len(each) >= _ENOUGH for each in options.values())
    names = dict.fromkeys(each.optimizer for each in summaries)
    page = Page(
        title=f"Adamas: {', '.join(by_workload)}",
        heading="Optimizer comparison",
        lead=_lead(runs, chosen, len(by_workload)),
        sections=(
            _verdicts(by_workload),
            *sections,
            *_across(summaries),
        ),
        notes=(*NOTES, *(_SWEEP_NOTES if swept else ())),
        command=command,
        environments=environments(runs),
        engines=sorted({run.spec.engine for run in runs}),
        listing=summary.listing(runs),
        legend=tuple((name, optimizers.entry(name).label, palette.colour(name)) for name in names),
        time_axis=True,
    )
    return render(page)
