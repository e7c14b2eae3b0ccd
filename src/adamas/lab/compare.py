"""Comparing optimizers: which runs it takes, and getting them, from disk or by training."""

from collections.abc import Sequence

from adamas.lab import optimizers, workloads
from adamas.lab.pool import Pool
from adamas.lab.progress import RunProgress
from adamas.lab.results import Run, RunStore
from adamas.lab.spec import RunSpec


def spec(workload: str, optimizer: str, seed: int, lr: float | None = None) -> RunSpec:
    """Specifies a run with the workload's budget.

    Args:
        workload: name of the workload.
        optimizer: name of the optimizer.
        seed: number of the paired seed.
        lr: learning rate; by default the one tuned for this workload, else the optimizer's default.

    Example:
        >>> spec("cnn", "momentum", seed=0, lr=0.1).hyperparameters
        {'lr': 0.1, 'momentum': 0.9}
    """
    chosen = workloads.load(workload)
    rate = chosen.learning_rates.get(optimizer) if lr is None else lr
    return RunSpec(
        workload=workload,
        workload_digest=workloads.digest(workload),
        optimizer=optimizer,
        hyperparameters=optimizers.hyperparameters(optimizer, rate),
        seed=seed,
        steps=chosen.steps,
        batch_size=chosen.batch_size,
        eval_every=chosen.eval_every,
    )


def paired_specs(workload_names: Sequence[str], optimizer_names: Sequence[str], seeds: int) -> list[RunSpec]:
    """Every optimizer on every workload with every paired seed.

    Seeds vary slowest, so that a comparison which is cut short has whole rounds of all optimizers.

    Example:
        >>> [(spec.optimizer, spec.seed) for spec in paired_specs(["mlp"], ["sgd", "adam"], seeds=2)]
        [('sgd', 0), ('adam', 0), ('sgd', 1), ('adam', 1)]
    """
    return [
        spec(workload, optimizer, seed)
        for seed in range(seeds)
        for workload in workload_names
        for optimizer in optimizer_names
    ]


def collect(specs: Sequence[RunSpec], store: RunStore, workers: int, fresh: bool) -> list[Run]:
    """Returns the run of every spec, training those that the store doesn't have.

    Args:
        specs: what to run.
        store: where finished runs are looked up and kept.
        workers: processes to train with.
        fresh: train all of them again, whatever the store has.

    Raises:
        LabError: a run failed or a worker died; runs that finished before are in the store.
        KeyboardInterrupt: Ctrl-C; likewise.
    """
    runs = {} if fresh else {spec.run_id: run for spec in specs if (run := store.find(spec)) is not None}
    missing = [spec for spec in specs if spec.run_id not in runs]
    if missing:
        with RunProgress(len(specs), runs.values()) as progress, Pool(min(workers, len(missing))) as pool:
            for run in pool.train(missing, store):
                runs[run.spec.run_id] = run
                progress.finished(run)
    return [runs[spec.run_id] for spec in specs]
