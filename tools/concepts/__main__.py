"""``python -m tools.concepts docs/concepts [names]`` draws all pictures, or those that are named (make pages)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from tools.concepts import modelling, stepping

PICTURES = {
    "adam": stepping.adam,
    "moments": stepping.moments,
    "adagrad": stepping.adagrad,
    "rmsprop": stepping.rmsprop,
    "momentum": stepping.momentum,
    "adamw": stepping.adamw,
    "sparse": stepping.sparse,
    "noise": stepping.noise,
    "hyper-parameters": modelling.hyper_parameters,
    "activations": modelling.activations,
    "adapters": modelling.adapters,
    "attention": modelling.attention,
    "autoencoders": modelling.autoencoders,
    "backpropagation": modelling.backpropagation,
    "batch-norm": modelling.batch_norm,
    "batch-size": modelling.batch_size,
    "boltzmann": modelling.boltzmann,
}


def main(folder: Path, names: list[str]) -> None:
    """Draw them, and say how long each took."""
    torch.set_num_threads(1)
    for name in names or PICTURES:
        started = time.perf_counter()
        torch.manual_seed(0)
        (folder / f"{name}.svg").write_text(PICTURES[name](), encoding="utf-8")
        print(f"{name:18} {time.perf_counter() - started:5.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
