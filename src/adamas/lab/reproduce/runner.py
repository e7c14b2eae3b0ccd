"""Trains a figure: the grid of learning rates, wider where it must be, and the best of every arm on fresh seeds."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from adamas.lab.reproduce.claims import average_cost
from adamas.lab.reproduce.figure import SEARCH_SEED, Figure, Outcome, Trained
from adamas.lab.results import Run
from adamas.lab.spec import RunSpec

MOST_WIDENING = 4
"""Learning rates that are added to a grid at most; a best point still at the edge is then said to be one."""

Collect = Callable[[Sequence[RunSpec]], list[Run]]
Cells = Sequence[tuple[str, float]]
Grid = dict[tuple[str, float], tuple[Run, ...]]


def best_rate(grid: Mapping[tuple[str, float], Sequence[Run]], arm: str, rates: Sequence[float]) -> float:
    """The learning rate of least average cost, median over seeds; the smallest of those if all diverged."""
    return min(rates, key=lambda rate: median(average_cost(run) for run in grid[arm, rate]))


def widened(rates: Sequence[float], best: Sequence[float]) -> tuple[float, ...]:
    """Learning rates with one more on each side at which the best of an arm is an edge.

    Example:
        >>> widened((0.1, 1.0, 10.0), best=[1.0, 10.0])
        (0.1, 1.0, 10.0, 100.0)
        >>> widened((0.01, 0.0316, 0.1), best=[0.0316, 0.01])
        (0.00316, 0.01, 0.0316, 0.1)
    """
    factor = (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))
    below = (_rounded(rates[0] / factor),) if rates[0] in best else ()
    above = (_rounded(rates[-1] * factor),) if rates[-1] in best else ()
    return (*below, *rates, *above)


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")


def run(figure: Figure, collect: Collect) -> Outcome:
    """Trains all runs of a figure.

    Args:
        figure: what to make.
        collect: returns the run of every spec, from disk or by training.
    """
    names = [arm.name for arm in figure.arms]
    first_seed, seeds = (0, figure.seeds) if figure.whole_grid else (SEARCH_SEED, figure.search_seeds)
    grid: Grid = {}
    rates = new = figure.rates
    while new:
        cells = [(name, rate) for rate in new for name in names]
        grid |= _train(figure, cells, range(first_seed, first_seed + seeds), collect)
        best = {name: best_rate(grid, name, rates) for name in names}
        wider = widened(rates, _decisive(figure, grid, best))
        room = len(figure.rates) + MOST_WIDENING - len(wider)
        new = tuple(rate for rate in wider if rate not in rates) if room >= 0 else ()
        rates = wider if new else rates
    chosen = grid if figure.whole_grid else _train(figure, list(best.items()), range(figure.seeds), collect)
    return Outcome(rates, grid, {name: Trained(rate, chosen[name, rate]) for name, rate in best.items()})


def _decisive(figure: Figure, grid: Grid, best: Mapping[str, float]) -> list[float]:
    """The best learning rates that must not be edges: of every arm, or of every panel if the figure is the grid."""
    if not figure.whole_grid:
        return list(best.values())
    panels: dict[str, list[str]] = {}
    for arm in figure.arms:
        panels.setdefault(arm.panel, []).append(arm.name)
    cost = {name: median(average_cost(run) for run in grid[name, rate]) for name, rate in best.items()}
    return [best[min(names, key=cost.__getitem__)] for names in panels.values()]


def _train(figure: Figure, cells: Cells, seeds: Sequence[int], collect: Collect) -> Grid:
    arms = {arm.name: arm for arm in figure.arms}
    specs = [figure.spec(arms[name], rate, seed) for name, rate in cells for seed in seeds]
    runs = collect(specs)
    count = len(seeds)
    return {cell: tuple(runs[at * count : (at + 1) * count]) for at, cell in enumerate(cells)}
