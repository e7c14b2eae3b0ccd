"""The page of reproduced figures: all verdicts first, then each figure with its numbers and deviations."""

import math
from collections.abc import Sequence
from statistics import median

from adamas.lab import text
from adamas.lab.analysis import Verdict
from adamas.lab.report.page import Cell, Chart, Group, Page, Section, Table, render
from adamas.lab.reproduce import charts
from adamas.lab.reproduce.evidence import Evidence

_SAID: dict[Verdict, str] = {"holds": "hold", "does not hold": "do not hold", "undecided": "are undecided"}

_NOTES = (
    "A claim holds if it is so for every seed, and does not hold if for every seed it is not so; otherwise seeds "
    "disagree, and it is undecided. One cost is lower than another if the highest seed of the one is under the "
    "lowest of the other.",
    "Lines and single numbers are medians over seeds, bands and ranges go from the least to the greatest seed. With "
    "a given seed, every curve of a figure has the same initial weights, the same batches in the same order and the "
    "same random noise.",
    "Cost is the mean train loss in evaluation mode. An average cost is the geometric mean over the evaluations of "
    "a run, so that a fast start and a low end both count; what diverged costs infinity, in panels as much as the "
    "untrained model.",
    "All curves of a figure get the same learning rates, and all get one more as long as the best of one of them is "
    "an edge, up to four times. Learning rates are chosen on seeds on which they are not judged, except where the "
    "figure is the grid itself.",
)


def _verdicts(figures: Sequence[Evidence]) -> Section:
    rows = tuple(
        (Cell(each.claim), Cell(evidence.figure), Cell(each.verdict, mark=each.verdict), Cell(each.reading))
        for evidence in figures
        for each in evidence.judged
    )
    columns = ("claim", "figure", "verdict", "median (range) over seeds")
    found = [each.verdict for evidence in figures for each in evidence.judged]
    counted = [(found.count(verdict), said) for verdict, said in _SAID.items()]
    counts = ", ".join(f"{count} {said}" for count, said in counted if count)
    table = Table("All claims", columns, rows, words=len(columns), wrap=True)
    return Section("Verdicts", (table,), finding=f"Of {len(found)} claims, {counts}.")


def _rates_table(evidence: Evidence) -> Table:
    chosen = charts.colours([curve.label for curve in evidence.curves])
    rows = []
    for curve in evidence.curves:
        last = [row[-1] for row in curve.costs]
        cells = [cell for cell in evidence.grid if cell.arm == curve.arm]
        diverged = sum(cell.diverged for cell in cells)
        rows.append(
            (
                Cell(curve.label, colour=chosen[curve.label]),
                Cell(f"{curve.rate:g}{' (edge)' if curve.edge else ''}", curve.rate),
                Cell(text.loss(median(last)), median(last)),
                Cell(f"{text.loss(min(last))} to {text.loss(max(last))}", max(last)),
                Cell(f"{diverged} of {len(cells) * len(cells[0].average)}", diverged),
                Cell(f"{median(row[-1] for row in curve.metrics):.4g}", median(row[-1] for row in curve.metrics)),
            )
        )
    columns = ("curve", "best lr", "last cost", "range", "diverged in the search", f"test {evidence.metric}")
    return Table(f"Curves of {evidence.figure}", columns, tuple(rows))


def _drawn(evidence: Evidence) -> tuple[Table | Group, ...]:
    if evidence.show == "panels":
        early = Chart("After a tenth of the training", charts.panels(evidence, lambda cell: cell.early), height=460)
        late = Chart("At the end", charts.panels(evidence, lambda cell: cell.last), height=460)
        return (Group((early, late)),)
    if evidence.show == "heatmaps":
        note = "Percent of unseen examples that are wrong, median over seeds. Both maps have one scale."
        return (Group((Chart("Test error", charts.heatmaps(evidence), note, height=360, wide=True),)),)
    cost = Chart("Training cost, each at its best learning rate", charts.costs(evidence))
    metric = Chart(f"Test {evidence.metric}", charts.metrics(evidence))
    rates = Chart("Average cost over learning rates", charts.rates(evidence), "On the seeds of the search.")
    return (Group((cost, rates, metric)), _rates_table(evidence))


def _facts(evidence: Evidence) -> str:
    seeds = f"{evidence.seeds} seeds"
    if evidence.search_seeds:
        seeds += f", learning rates chosen on {evidence.search_seeds} other{'' if evidence.search_seeds == 1 else 's'}"
    widened = f" ({evidence.widened} of them added, as a best one was an edge)" if evidence.widened else ""
    rates = ", ".join(f"{rate:g}" for rate in evidence.rates)
    return (
        f"{evidence.source}. {evidence.workload}; {evidence.epochs} epochs, {evidence.steps:,} steps of "
        f"{evidence.batch_size}; learning rates {rates}{widened}; {seeds}; {evidence.runs:,} runs, "
        f"{text.duration(evidence.cpu_seconds)} of processor time."
    )


def _legend(evidence: Evidence) -> tuple[tuple[str, str, str], ...]:
    if evidence.show == "heatmaps":
        return ()
    chosen = charts.colours([cell.label for cell in evidence.grid])
    return tuple((label, label, colour) for label, colour in chosen.items())


def _section(evidence: Evidence) -> Section:
    return Section(
        title=f"{evidence.figure}: {evidence.title}",
        finding=f"In the paper: {evidence.shows}",
        facts=_facts(evidence),
        points=tuple(f"Differs: {each}" for each in evidence.deviations),
        parts=_drawn(evidence),
        legend=_legend(evidence),
    )


def build(figures: Sequence[Evidence], command: str) -> str:
    """Makes the page as one HTML document that loads nothing from anywhere.

    Args:
        figures: what was found.
        command: the command line that found it.
    """
    runs = sum(each.runs for each in figures)
    seconds = text.duration(math.fsum(each.cpu_seconds for each in figures))
    environments = {each.model_dump_json(): each for evidence in figures for each in evidence.environments}
    page = Page(
        title=f"Adamas: {', '.join(each.figure for each in figures)}",
        heading="Figures of the papers, made again",
        lead=f"{len(figures)} figure{'' if len(figures) == 1 else 's'}, {runs:,} runs, {seconds} of processor time.",
        sections=(_verdicts(figures), *map(_section, figures)),
        notes=_NOTES,
        command=command,
        environments=list(environments.values()),
        engines=sorted({engine for each in figures for engine in each.engines}),
    )
    return render(page)
