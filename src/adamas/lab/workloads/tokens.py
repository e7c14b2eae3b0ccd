"""Pieces of words as numbers: byte-pair encoding, learned from the text a language model is trained on."""

from functools import cache

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from adamas.lab.data.texts import bible, docstrings, pydoc

SPECIAL = ("[PAD]", "[UNK]", "[MASK]")
"""Tokens that stand for no text, numbered from 0 on."""

PAD, UNKNOWN, MASK = range(len(SPECIAL))

VOCABULARY = 1000


@cache
def halves(variant: str) -> tuple[str, str]:
    """The text to train on and the text to test with.

    For `pydoc` that is Python's reference, and to train on also the docstrings that no classifier is tested with.
    """
    text = bible() if variant == "bible" else pydoc()
    cut = text.index("\n", len(text) * 9 // 10)
    if variant == "bible":
        return text[:cut], text[cut:]
    corpus = docstrings()
    return "\n".join([text[:cut], *corpus.texts[corpus.tests :]]), text[cut:]


@cache
def tokenizer(variant: str) -> Tokenizer:
    """A tokenizer of lower-case words in at most 1,000 different pieces."""
    made = Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN]))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.ByteLevel()
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()))
    made.train_from_iterator(
        halves(variant)[0].splitlines(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
        ),
    )
    return made


@cache
def pieces(variant: str, length: int) -> tuple[Tensor, Tensor]:
    """Both halves of the text, cut into rows of `length` tokens."""
    made = tokenizer(variant)
    numbers = (torch.tensor(made.encode(half).ids) for half in halves(variant))
    train, test = (half[: len(half) // length * length].view(-1, length) for half in numbers)
    return train, test


def padded(made: Tokenizer, texts: tuple[str, ...], length: int) -> Tensor:
    """The first tokens of every text, filled up with `PAD`."""
    rows = torch.full((len(texts), length), PAD)
    for row, encoding in zip(rows, made.encode_batch(list(texts)), strict=True):
        known = encoding.ids[:length]
        row[: len(known)] = torch.tensor(known)
    return rows
