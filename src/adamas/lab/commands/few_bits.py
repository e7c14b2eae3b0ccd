"""`adamas few-bits`: what few-bit moments and 16-bit weights cost at the end of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adamas.lab import markdown, text, workloads
from adamas.lab.analysis import Band
from adamas.lab.commands import options
from adamas.lab.compare import collect, command_line
from adamas.lab.few_bits import Outcome, outcomes, specs
from adamas.lab.results import RunStore, writable_folder, write_atomically
from adamas.lab.tables import plain
from adamas.lab.trainer import Trainer

_HEADERS = ("weights, moments", "final train loss", "of float32's, paired", "test metric", "state B/param", "within")
_WORDS = """\
AdamW at the learning rate tuned for float32. Weights have 16 bits but in the first line; `split32, float32` is float32
training of a model that computes in bfloat16. The final loss is the median over the evaluations of the last fifth of a
run; shown are median and range over seeds. `within`: whether the median is no more than the largest of float32's (it
does not hold if all seeds are above)."""


def few_bits(
    workload_names: Annotated[
        str, typer.Argument(metavar="WORKLOADS", help="With commas; each must have a variant bfloat16.")
    ] = "cnn,chargpt",
    seeds: Annotated[int, typer.Option(min=2, help="Paired seeds.")] = 5,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps; without it the workload's.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A Markdown file for the tables.", show_default=False)] = None,
    runs_dir: options.RunsDir = Path("runs"),
    workers: options.Workers = 2,
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Judge the final losses of few-bit moments and 16-bit weights by float32's spread over seeds.

    [bold]Examples[/]

    [cyan]adamas few-bits cnn --seeds 10[/]

    [cyan]adamas few-bits chargpt --steps 300[/]
    """
    names = options.names(workload_names, "WORKLOADS")
    wanted = {name: specs(name, seeds, steps) for name in names}
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    if out is not None:
        writable_folder(out.absolute().parent, "--out")
    judged: dict[str, list[Outcome]] = {}
    with Trainer(workers, fresh, cluster) as trainer:
        for name, by_way in wanted.items():
            runs = iter(collect([each for way in by_way.values() for each in way], store, trainer))
            judged[name] = outcomes({way: [next(runs) for _ in range(seeds)] for way in by_way})
            Console().print(_table(name, judged[name]))
    if out is not None:
        tables = [
            (workloads.load(name).title, markdown.table(_HEADERS, _rows(found))) for name, found in judged.items()
        ]
        words = ["few-bits", ",".join(names), "--seeds", str(seeds), *(["--steps", str(steps)] if steps else [])]
        write_atomically(out, markdown.page("Final losses with few bits", _WORDS, tables, command_line(words)))


def _rows(found: Sequence[Outcome]) -> list[list[str]]:
    return [
        [
            each.way,
            _band(each.loss),
            _band(each.ratio),
            _band(each.metric),
            f"{each.state_bytes:.2f}",
            each.verdict,
        ]
        for each in found
    ]


def _band(band: Band) -> str:
    return f"{text.loss(band.median)} [{text.loss(band.low)}\N{EN DASH}{text.loss(band.high)}]"


def _table(workload: str, found: Sequence[Outcome]):
    table = plain(f"{workloads.load(workload).title}: final train loss, median [range] over seeds")
    for at, header in enumerate(_HEADERS):
        table.add_column(header, justify="right" if at else "left")
    for row in _rows(found):
        table.add_row(*row)
    return table
