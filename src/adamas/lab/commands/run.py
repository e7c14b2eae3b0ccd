"""`adamas run`: one training."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adamas.lab import optimizers, peers, text, workloads
from adamas.lab.commands import options
from adamas.lab.commands.doctor import EVERY, attend
from adamas.lab.compare import collect, spec
from adamas.lab.errors import LabError
from adamas.lab.results import Run, RunStore, writable_folder
from adamas.lab.spec import RunSpec
from adamas.lab.trainer import Trainer


def run(
    workload: options.WorkloadArgument,
    optimizer: Annotated[str, typer.Option(help="A name of the catalogue, or package.module:Class.")] = "adamw",
    lr: Annotated[
        float | None, typer.Option(min=0, help="Learning rate; without it the tuned one.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Another hyper-parameter; may be repeated.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes initialization, batches and dropout.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps; without it the workload's.", show_default=False)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Examples per step; without it the workload's.", show_default=False)
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Spread the run over devices: ddp replicates the model, fsdp shards it.",
            show_default=False,
            rich_help_panel="One run over several devices",
        ),
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs, or processes.", rich_help_panel="One run over several devices")
    ] = 1,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Then let the doctor look at it, as adamas doctor does.")
    ] = False,
    runs_dir: options.RunsDir = Path("runs"),
    cluster: options.ClusterAddress = None,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Train once, with live progress; stop it and start it again, it goes on where it was.

    [bold]Examples[/]

    [cyan]adamas run mlp --optimizer adam --lr 0.003[/]

    [cyan]adamas run cnn --optimizer momentum --set momentum=0.95 --seed 7 --steps 2000[/]

    [cyan]adamas run mlp --optimizer torch.optim:AdamW --set betas=0.8,0.99[/]

    [cyan]adamas run cnn --strategy ddp --devices 2[/]
    """
    wanted = spec(workload, optimizer, seed, lr, peers.settings(set_ or [], reserved="lr"))
    changed = {"steps": steps, "batch_size": batch_size, "strategy": strategy, "devices": devices}
    wanted = wanted.model_copy(update={key: value for key, value in changed.items() if value is not None})
    optimizers.check(optimizer, wanted.hyperparameters)
    if strategy is not None or devices > 1:
        from adamas.lab import spread

        spread.check(wanted)
        if cluster is not None:
            raise LabError("one run over several devices is for this machine, not for a cluster", "leave out --cluster")
    store = RunStore(writable_folder(runs_dir, "--runs-dir"))
    found = not fresh and store.find(wanted) is not None
    with Trainer(1, fresh, cluster) as trainer:
        [finished] = collect([wanted], store, trainer)
    show(finished, Console())
    Console().print(f"{'Was there already' if found else 'Kept'}: {escape(str(store.path(wanted)))}", soft_wrap=True)
    if diagnose:
        attend(finished, store, EVERY, Console())


def show(run: Run, console: Console) -> None:
    """Prints what a run came to."""
    workload, result, last = workloads.load(run.spec.workload), run.result, run.result.points[-1]
    best = min(result.points, key=lambda point: point.train_loss)
    lines = (
        f"[bold]{escape(workload.title)}[/], {escape(_settings(run.spec))}",
        f"train loss {text.loss(result.points[0].train_loss)} -> {text.loss(last.train_loss)} after {last.step} steps; "
        f"best {text.loss(best.train_loss)} after {best.step}; target {workload.target:g}",
        f"test {escape(workload.metric_name)} {last.test_metric:.4g}",
        f"{text.duration(last.seconds)} of training, {text.duration(last.optimizer_seconds)} of it in the optimizer; "
        f"{text.size(result.state_bytes)} of state",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    if result.diverged:
        raise LabError(f"the run diverged after {last.step} steps", "try a smaller --lr")


def _settings(spec: RunSpec) -> str:
    values = ", ".join(f"{key} {value}" for key, value in spec.hyperparameters.items())
    return f"{optimizers.entry(spec.optimizer).label} ({values}), seed {spec.seed}"
