"""Logistic regression on bags of words: a convex problem with sparse gradients (Kingma and Ba 2015, section 6.1)."""

from typing import Any, ClassVar

import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from adamas.lab.data import Data
from adamas.lab.pictures import Picture
from adamas.lab.workloads.classification import Classification
from adamas.lab.workloads.corpora import CORPORA, features, halves, labels


class SparseProduct(torch.autograd.Function):
    """Sparse rows times a dense matrix; of the two, the matrix has a gradient.

    torch has no gradient for this in compressed rows, and dense rows cost twenty times as much.
    """

    @staticmethod
    def forward(ctx: Any, rows: csr_matrix, weight: Tensor) -> Tensor:
        """The product y = X W."""
        ctx.rows = rows
        return torch.from_numpy(rows @ weight.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        """The gradient dW = X^T dy, which is zero for every word that isn't in the batch."""
        return None, torch.from_numpy(ctx.rows.T @ gradients[0].numpy())


class BagOfWords(nn.Module):
    """A linear layer from the words of documents, given by number, to logits.

    Args:
        documents: features of all documents.
        classes: number of logits.
    """

    def __init__(self, documents: csr_matrix, classes: int):
        super().__init__()
        self.documents = documents
        # A convex problem needs no random start.
        self.weight = nn.Parameter(torch.zeros(documents.get_shape()[1], classes))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, numbers: Tensor) -> Tensor:
        """Logits of the documents with these numbers."""
        product = SparseProduct.apply(self.documents[numbers.numpy()], self.weight)
        assert isinstance(product, Tensor)
        return product + self.bias


class Words(Classification):
    """Which of eight libraries a docstring is from, or the sentiment of a review, or the newsgroup of a post."""

    variants = tuple(CORPORA)
    batch_size = 64
    steps = 400
    eval_every = 20
    # Printed by `adamas calibrate bow`.
    target = 0.00561
    # Printed by `adamas tune bow --budget 9 --seeds 1`.
    learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 94,
        "momentum": 30,
        "nesterov": 30,
        "adagrad": 3,
        "rmsprop": 0.3,
        "adam": 0.95,
        "adamw": 0.95,
        "amsgrad": 0.95,
        "adamax": 3,
        "nadam": 0.95,
        "radam": 3,
        "lion": 0.095,
    }

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.title = f"Logistic regression on bags of words of {self.variant}"

    def data(self) -> Data:
        """Numbers of documents, and their classes."""
        corpus = CORPORA[self.variant]()
        return halves(corpus, torch.arange(len(corpus.texts)), labels(corpus))

    def model(self) -> nn.Module:
        """Up to 10,000 words -> one logit per class."""
        return BagOfWords(features(self.variant)[0], len(CORPORA[self.variant]().classes))

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """The words that speak most for each class."""
        words, classes = features(self.variant)[1], CORPORA[self.variant]().classes
        best = model.get_parameter("weight").detach().topk(8, dim=0).indices.T
        lines = tuple(f"{name}: {', '.join(words[i] for i in row)}" for name, row in zip(classes, best, strict=True))
        return [Picture(kind="text", title="Words", caption="What speaks most for each class.", texts=lines)]
