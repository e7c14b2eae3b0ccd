"""The labelled texts a variant may name, as sparse features or as numbers of words."""

from functools import cache

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from adamas.lab.data import texts
from adamas.lab.data.split import Batch, Data
from adamas.lab.data.texts import Labelled

CORPORA = {"docs": texts.docstrings, "movie": texts.movie, "newsgroups": texts.newsgroups}
"""What a variant of a text workload may be called; the first needs no download."""

VOCABULARY = 10_000
"""Most words that are told apart, as in section 6.1 of Kingma and Ba (2015)."""


def labels(corpus: Labelled) -> Tensor:
    """The class of every text."""
    return torch.tensor(corpus.labels)


def halves(corpus: Labelled, *tensors: Tensor) -> Data:
    """Splits tensors over all texts into those to train on and those to test with."""
    test: Batch = tuple(tensor[: corpus.tests] for tensor in tensors)
    return Data(train=tuple(tensor[corpus.tests :] for tensor in tensors), test=test)


@cache
def features(name: str) -> tuple[csr_matrix, tuple[str, ...]]:
    """TF-IDF features of every text of a corpus, rows of length 1, and the word of each column.

    Words and their weights are learned from the training texts alone.
    """
    # Half a second, which no other workload should pay.
    from sklearn.feature_extraction.text import TfidfVectorizer

    corpus = CORPORA[name]()
    vectorizer = TfidfVectorizer(max_features=VOCABULARY, sublinear_tf=True)
    vectorizer.fit(corpus.texts[corpus.tests :])
    return csr_matrix(vectorizer.transform(corpus.texts), dtype=np.float32), tuple(vectorizer.get_feature_names_out())


@cache
def word_numbers(name: str, length: int) -> tuple[Tensor, int]:
    """The first words of every text as numbers from 1 on, filled up with 0, and how many numbers there are.

    Words that are not among the features are left out.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    corpus = CORPORA[name]()
    numbers = {word: number for number, word in enumerate(features(name)[1], start=1)}
    split = TfidfVectorizer().build_analyzer()
    padded = torch.zeros(len(corpus.texts), length, dtype=torch.long)
    for row, text in enumerate(corpus.texts):
        known = [numbers[word] for word in split(text) if word in numbers][:length]
        padded[row, : len(known)] = torch.tensor(known)
    return padded, len(numbers) + 1
