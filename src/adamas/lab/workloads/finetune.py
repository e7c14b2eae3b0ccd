"""Fine-tuning a pretrained transformer: all of it, its head, by LoRA, or by bottleneck adapters; and a control."""

import copy
import warnings
from functools import cache
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from adamas.lab.data import Data
from adamas.lab.data.texts import Labelled, docstrings, movie
from adamas.lab.pictures import Picture, series
from adamas.lab.workloads import backbone
from adamas.lab.workloads.adapters import Adapted
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.corpora import halves, labels
from adamas.lab.workloads.tokens import PAD, padded

if TYPE_CHECKING:
    # Seconds, which a command that only lists workloads should not pay: functions import it.
    from transformers import BertModel

METHODS = ("lora", "full", "head", "adapter")

CONTROL = "scratch"
"""The variant that trains all of the same network from random weights: what pretraining is worth."""

# The first for the lab's own encoder, the second for MiniLM.
RATES = {
    "lora": (0.01, 0.002),
    "full": (0.003, 5e-5),
    "head": (0.02, 0.01),
    "adapter": (0.02, 0.002),
    CONTROL: (0.00095,),
}
"""Learning rates of Adam and AdamW, of a few that were tried, or customary.

Those of `full` and its control are printed by `adamas tune finetune@full --budget 5 --seeds 1 --optimizers adamw`
and the same of `finetune@scratch`: what is compared is tuned alike.
"""

RANK = 8
"""Rank of LoRA's corrections, and width of an adapter."""


class TextClassifier(nn.Module):
    """An encoder, the mean of what it returns for every token, and a linear head.

    Args:
        encoder: the pretrained transformer.
        classes: number of logits.
    """

    def __init__(self, encoder: "BertModel", classes: int):
        super().__init__()
        self.encoder: nn.Module = encoder
        self.head = nn.Linear(encoder.config.hidden_size, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of rows of tokens."""
        mask = (tokens != PAD).to(self.head.weight.dtype)
        states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return self.head((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1))


def adapt(model: TextClassifier, method: str) -> None:
    """Freezes the encoder and gives it what the method trains instead."""
    from transformers import BertModel

    encoder = model.encoder
    assert isinstance(encoder, BertModel)
    if method in ("full", CONTROL):
        return
    encoder.requires_grad_(False)
    if method == "lora":
        # Two seconds, which no other method should pay.
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["query", "value"])
        with warnings.catch_warnings():
            # peft 0.21 asks transformers 5.24 for a property by its old name.
            warnings.simplefilter("ignore", FutureWarning)
            model.encoder = get_peft_model(encoder, config)
    elif method == "adapter":
        width = encoder.config.hidden_size
        for layer in encoder.encoder.layer:
            layer.output = Adapted(layer.get_submodule("output"), width, RANK)


class FineTuning(Classification):
    """Which library a docstring is from, by the encoder of `mlm`; or the sentiment of a review, by MiniLM.

    The encoder of `mlm` is trained on first use, in a minute or two, and kept. The variant `scratch` has random
    weights in its place.
    """

    variants = (*METHODS, CONTROL, *(f"minilm-{method}" for method in METHODS))
    eval_every = 25

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.method = self.variant.removeprefix("minilm-")
        self.large = self.method != self.variant
        self.batch_size = 16 if self.large else 32
        self.steps = 50 if self.large else 300
        self.target = 0.6 if self.large else 0.8
        rate = RATES[self.method][self.large]
        self.learning_rates = {"adam": rate, "adamw": rate}
        self.length = 32 if self.large else 48
        task = "MiniLM, sentiment of reviews" if self.large else "own BERT, origin of docstrings"
        how = "Trained from scratch" if self.method == CONTROL else f"Fine-tuning ({self.method})"
        self.title = f"{how}: {task}"

    def corpus(self) -> Labelled:
        """The texts of the task."""
        return movie() if self.large else docstrings()

    def data(self) -> Data:
        """Rows of tokens, and their classes; with MiniLM, fewer to evaluate on."""
        corpus = self.corpus()
        data = halves(corpus, padded(pretrained(self.large)[1], corpus.texts, self.length), labels(corpus))
        probe, test = (100, 200) if self.large else (400, len(data.test[0]))
        return Data(
            train=data.train,
            test=tuple(part[:test] for part in data.test),
            probe=tuple(part[:probe] for part in data.train),
        )

    def model(self) -> nn.Module:
        """The pretrained encoder with a new head and, if the method has them, new layers inside."""
        from transformers import BertModel

        encoder = pretrained(self.large)[0]
        if self.method == CONTROL:
            encoder = BertModel(encoder.config, add_pooling_layer=False)
        model = TextClassifier(copy.deepcopy(encoder), len(self.corpus().classes))
        adapt(model, self.method)
        return model

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """How much of the model was trained, and what it says of some texts."""
        trained = sum(parameter.numel() for parameter in self.trainable(model))
        total = sum(parameter.numel() for parameter in model.parameters())
        caption = f"{trained:,} of {total:,} parameters ({trained / total:.1%}); an optimizer's memory goes with them."
        corpus = self.corpus()
        with torch.no_grad():
            said = model(data.test[0][:8]).argmax(1).tolist()
        lines = tuple(
            f"{corpus.classes[guess]} (it is {corpus.classes[label]}): {text[:200]}"
            for guess, label, text in zip(said, corpus.labels, corpus.texts, strict=False)
        )
        shares = {"parameters": [trained, total - trained]}
        return [
            series("bars", "What was trained", shares, ["trained", "frozen"], caption),
            Picture(kind="text", title="Test texts", caption="What the model says, and what is right.", texts=lines),
        ]


@cache
def pretrained(large: bool) -> "tuple[BertModel, Tokenizer]":
    """The encoder, to be copied before it is changed, and its tokenizer."""
    # Only the first call draws random numbers, and what the caller draws must not depend on that.
    with torch.random.fork_rng(devices=[]):
        return backbone.minilm() if large else backbone.own()
