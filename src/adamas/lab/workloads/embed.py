"""Word embeddings, averaged over a text and classified: the rows of a large table, few of them used at a time."""

from typing import ClassVar

from torch import Tensor, nn

from adamas.lab.data import Data
from adamas.lab.pictures import Picture, matrix
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.corpora import CORPORA, features, halves, labels, word_numbers

LENGTH = 80
"""Words of a text that are read."""


class WordVectors(nn.Module):
    """The mean of the words' vectors, then a linear layer.

    Args:
        words: rows of the table; number 0 is no word and never trained.
        classes: number of logits.
    """

    def __init__(self, words: int, classes: int):
        super().__init__()
        self.table = nn.EmbeddingBag(words, 32, mode="mean", padding_idx=0)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(32, classes)

    def forward(self, words: Tensor) -> Tensor:
        """Logits of texts, given as rows of numbers of words."""
        return self.head(self.dropout(self.table(words)))


class Embeddings(Classification):
    """The tasks of `bow`, by embeddings that are learned with them."""

    variants = tuple(CORPORA)
    batch_size = 64
    steps = 600
    eval_every = 30
    # Printed by `adamas calibrate embed`.
    target = 0.05
    # Printed by `adamas tune embed --budget 9 --seeds 1`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 9.6,
        "momentum": 3,
        "nesterov": 3,
        "adagrad": 0.95,
        "rmsprop": 0.041,
        "adam": 0.095,
        "adamw": 0.095,
        "amsgrad": 0.095,
        "adamax": 0.3,
        "nadam": 0.095,
        "radam": 0.3,
        "lion": 0.0095,
    }

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.title = f"Averaged word embeddings on {self.variant}"

    def data(self) -> Data:
        """Rows of numbers of words, and their classes."""
        corpus = CORPORA[self.variant]()
        return halves(corpus, word_numbers(self.variant, LENGTH)[0], labels(corpus))

    def model(self) -> nn.Module:
        """Up to 10,000 words -> 32 numbers each, averaged -> one logit per class."""
        return WordVectors(word_numbers(self.variant, LENGTH)[1], len(CORPORA[self.variant]().classes))

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """How alike the vectors are of the words that are used most."""
        words = features(self.variant)[1]
        counts = data.train[0].flatten().bincount(minlength=len(words) + 1)
        counts[0] = 0
        # The very first are articles and the like.
        chosen = counts.argsort(descending=True, stable=True)[20:44]
        vectors = nn.functional.normalize(model.get_parameter("table.weight").detach()[chosen])
        names = tuple(words[number - 1] for number in chosen)
        caption = "Cosine of the angle between the vectors of frequent words: 1 for words that mean the same here."
        likeness = matrix(vectors @ vectors.T)
        return [
            Picture(kind="heatmap", title="Alike words", caption=caption, values=likeness, rows=names, columns=names)
        ]
