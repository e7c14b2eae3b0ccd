"""`save` and `load`: a whole training in a file."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from adamas.checkpoint import safetensors_file, streams, torch_file
from adamas.checkpoint.atomic import names_of_steps, write_atomically
from adamas.checkpoint.damage import Damage, DamagedCheckpoint
from adamas.checkpoint.matching import LoadReport
from adamas.checkpoint.models import check_model, load_model, model_state
from adamas.checkpoint.trees import plain

VERSION = 1
"""Of the tree in a file."""

_KINDS: dict[str, ModuleType] = {
    ".safetensors": safetensors_file,
    ".pt": torch_file,
    ".pth": torch_file,
    ".ckpt": torch_file,
}


class Loaded(NamedTuple):
    """What `load` found beside what it put into the objects it was given.

    Attributes:
        path: the file.
        step: the number it was saved under.
        extra: what `save` was given to keep; {} if nothing.
        model: what of the model did not fit, with ``strict=False``.
        optimizer: what of the optimizer did not fit, with ``strict=False``.
    """

    path: Path
    step: int
    extra: dict[str, Any]
    model: LoadReport
    optimizer: LoadReport


def save(
    path: str | os.PathLike[str],
    model: torch.nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
    *,
    step: int | None = None,
    extra: dict[str, Any] | None = None,
    keep: int | None = 3,
) -> Path:
    """Save a training so that it goes on to the same bits, with the state of all random number generators.

    The file is written under another name, flushed to the disk and renamed: whatever ends the program or fills the
    disk, the checkpoints before it stay whole, and a file that is there is whole too.

    Args:
        path: a folder, which then holds the last ``keep`` checkpoints, ``step-0000001000.safetensors``; or one file,
            which is replaced: ``.safetensors``, or ``.pt``, ``.pth``, ``.ckpt`` as ``torch.save`` writes.
        model: any module.
        optimizer: any optimizer.
        scheduler: anything with ``state_dict`` and ``load_state_dict``: of learning rates, or a GradScaler.
        step: the number of the checkpoint, >= 0; one more than the last in the folder if it is not given.
        extra: numbers, strings and tensors to keep with it, in dicts, lists and tuples.
        keep: how many checkpoints of the folder to keep, >= 1; None keeps all.

    Returns:
        The file.

    Raises:
        OSError: if the disk is full or cannot be written; it says which checkpoint is the last whole one.
        TypeError: if a state holds what ``torch.load(weights_only=True)`` would not read.
        ValueError: for a step or a ``keep`` out of its range, before anything is written.

    Example:
        >>> import tempfile, torch, adamas
        >>> model = torch.nn.Linear(2, 1)
        >>> optimizer = adamas.AdamW(model.named_parameters())
        >>> folder = tempfile.TemporaryDirectory()
        >>> adamas.save(folder.name, model, optimizer, step=7, extra={"epoch": 1}).name
        'step-0000000007.safetensors'
        >>> found = adamas.load(folder.name, model, optimizer)
        >>> found.step, found.extra
        (7, {'epoch': 1})
        >>> folder.cleanup()
    """
    if keep is not None and keep < 1:
        raise ValueError(f"keep must be at least 1, or None for all, got {keep}")
    path = Path(path)
    in_folder = path.suffix not in _KINDS
    folder = path if in_folder else path.parent
    before = list(names_of_steps(folder)) if in_folder else []
    if step is None:
        step = before[0][0] + 1 if before else 0
    if step < 0:
        raise ValueError(f"step must not be negative, got {step}")
    tree = _tree(model, optimizer, scheduler, step, extra)
    file = folder / f"step-{step:010d}.safetensors" if in_folder else path
    last = before[0][1] if before else path if path.is_file() else None
    write_atomically(file, lambda opened: _KINDS[file.suffix].write(opened, tree), last)
    if in_folder and keep is not None:
        for _, old in list(names_of_steps(folder))[keep:]:
            if old != file:  # a training that went back to an earlier step saves behind the others
                old.unlink(missing_ok=True)
    return file


def _tree(model: Any, optimizer: Any, scheduler: Any, step: int, extra: dict[str, Any] | None) -> dict[str, Any]:
    tree: dict[str, Any] = {"adamas": {"version": VERSION, "step": step}, "extra": extra or {}, "rng": streams.states()}
    if model is not None:
        tree["model"] = model_state(model)
    if optimizer is not None:
        tree["optimizer"] = optimizer.state_dict()
    if scheduler is not None:
        tree["scheduler"] = scheduler.state_dict()
    return {key: plain(value, key) for key, value in tree.items()}


def load(
    path: str | os.PathLike[str],
    model: torch.nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
    *,
    strict: bool = True,
    hyperparameters: str = "load",
    rng: bool = True,
) -> Loaded:
    """Load what `save` saved into what is given. All is checked first; if anything is wrong, nothing is changed.

    Args:
        path: the file; or the folder, for the newest in it.
        model: a module of the same make, or None to leave it out; likewise the others.
        optimizer: an optimizer for it.
        scheduler: what was saved as such.
        strict: refuse what does not fit; otherwise load what fits. See `Optimizer.load_state_dict`.
        hyperparameters: ``load`` or ``keep``. See `Optimizer.load_state_dict`.
        rng: put the random number generators where they were, too.

    Returns:
        Its step, what was kept with it, and what did not fit.

    Raises:
        FileNotFoundError: if there is no checkpoint.
        DamagedCheckpoint: if the file is truncated or has other bytes than were written; the last good one is named.
        ValueError: if the file lacks what is asked for, or it does not fit.
    """
    file = _newest(Path(path))
    tree = _read(file)
    _check(file, tree, {"model": model, "optimizer": optimizer, "scheduler": scheduler})
    report = check_model(model, tree["model"]) if model is not None else LoadReport()
    if report and strict:
        raise ValueError(f"{file} does not fit the model, nothing was loaded:\n{report}")
    fitted = _load_optimizer(optimizer, tree["optimizer"], strict, hyperparameters) if optimizer else LoadReport()
    if model is not None:
        load_model(model, tree["model"])
    if scheduler is not None:
        scheduler.load_state_dict(tree["scheduler"])
    if rng:
        streams.restore(tree["rng"])
    return Loaded(file, tree["adamas"]["step"], tree["extra"], report, fitted)


def _newest(path: Path) -> Path:
    if path.suffix in _KINDS:
        return path
    found = next(names_of_steps(path), None)
    if found is None:
        raise FileNotFoundError(f"there is no checkpoint in {path}")
    return found[1]


def _read(file: Path) -> dict[str, Any]:
    try:
        return _KINDS[file.suffix].read(file)
    except Damage as damage:
        raise DamagedCheckpoint(file, str(damage), _last_good(file)) from damage


def _last_good(damaged: Path) -> Path | None:
    """Return the newest other checkpoint of the folder that is whole."""
    for _, path in names_of_steps(damaged.parent):
        if path != damaged and path.suffix in _KINDS:
            try:
                _KINDS[path.suffix].read(path)
            except Damage:
                continue
            return path
    return None


def _check(file: Path, tree: dict[str, Any], asked: dict[str, Any]) -> None:
    version = tree["adamas"]["version"]
    if version > VERSION:
        raise ValueError(f"{file} has version {version}, this adamas reads up to {VERSION}: update adamas")
    missing = [name for name, given in asked.items() if given is not None and name not in tree]
    if missing:
        raise ValueError(f"{file} was saved without {' and '.join(missing)}; nothing was loaded")


def _load_optimizer(optimizer: Any, saved: dict[str, Any], strict: bool, hyperparameters: str) -> LoadReport:
    if strict and hyperparameters == "load":  # what any optimizer takes
        return optimizer.load_state_dict(saved) or LoadReport()
    return optimizer.load_state_dict(saved, strict=strict, hyperparameters=hyperparameters)
