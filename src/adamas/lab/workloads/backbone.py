"""Pretrained encoders to fine-tune: the lab's own, trained once by its `mlm` workload, and MiniLM."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from filelock import FileLock
from tokenizers import Tokenizer

import adamas
from adamas.lab import workloads
from adamas.lab.data import places
from adamas.lab.results import writable_folder
from adamas.lab.streams import batches, initialized_model, reproducible
from adamas.lab.workloads.mlm import bert_config
from adamas.lab.workloads.tokens import tokenizer

if TYPE_CHECKING:
    # Seconds, which a command that only lists workloads should not pay: functions import it.
    from transformers import BertModel

PRETRAINING_STEPS = 1000
"""Steps of the lab's own encoder, a minute or two; it is kept in the cache of the data sets."""


def own(steps: int | None = None) -> "tuple[BertModel, Tokenizer]":
    """The encoder of `mlm`, pretrained with AdamW: from the cache, or now.

    Args:
        steps: training steps; `PRETRAINING_STEPS` by default.
    """
    from transformers import BertForMaskedLM

    steps = PRETRAINING_STEPS if steps is None else steps
    path = kept_at(steps)
    model = BertForMaskedLM(bert_config())
    if not path.exists():
        folder = writable_folder(path.parent, "the environment variable ADAMAS_DATA")
        # Of several workers that want it, one trains it and the others wait; a killed one leaves the lock open.
        with FileLock(folder / f"{path.name}.lock"):
            if not path.exists():
                _keep(_pretrained(steps), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.bert, tokenizer("pydoc")


def kept_at(steps: int) -> Path:
    """A file whose name changes with all that decides the weights: code, text, versions, steps."""
    text = workloads.load("mlm").data().train[0]
    decides = f"{workloads.digest('mlm')} {steps} {adamas.__version__} {torch.__version__}".encode()
    name = hashlib.sha256(decides + text.numpy().tobytes()).hexdigest()[:12]
    return places.cache_folder() / "backbones" / f"mlm-{name}.pt"


def _pretrained(steps: int) -> dict[str, torch.Tensor]:
    """Trains the encoder; the same bits every time, whatever engine or number of threads is in use."""
    workload = workloads.load("mlm")
    with reproducible():
        model = initialized_model(workload, seed=0)
        optimizer = adamas.AdamW(workload.trainable(model), lr=0.005, engine="reference")
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        stream = batches(workload.data().train, workload.batch_size, seed=0)
        for step in range(steps):
            torch.manual_seed(step)
            optimizer.zero_grad()
            workload.training_loss(model, next(stream)).backward()
            optimizer.step()
            schedule.step()
    return model.state_dict()


def _keep(weights: dict[str, torch.Tensor], path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        torch.save(weights, draft)
    os.replace(draft.name, path)


def minilm() -> "tuple[BertModel, Tokenizer]":
    """all-MiniLM-L6-v2, from files alone.

    Raises:
        LabError: it is not here.
    """
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    folder = places.files("minilm")[0].parent
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    # The file also has what BERT uses to classify, and a list of positions that transformers no longer keeps.
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model, made
