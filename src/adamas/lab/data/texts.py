"""Text: long ones to model, and short ones in classes to tell apart."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from adamas.lab.data import places


@dataclass(frozen=True)
class Labelled:
    """Texts with the class of each.

    Args:
        texts: the texts.
        labels: number of each text's class.
        classes: names of the classes.
        tests: how many texts, from the first one on, are there to test with.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    tests: int


def _shuffled(pairs: list[tuple[str, str]], test_share: float) -> Labelled:
    """Mixes (text, class) pairs, the same way everywhere, without those that repeat a text."""
    distinct = list(dict(pairs).items())
    classes = tuple(sorted({name for _, name in distinct}))
    order = np.random.RandomState(0).permutation(len(distinct))
    texts, names = zip(*(distinct[index] for index in order), strict=True)
    return Labelled(texts, tuple(map(classes.index, names)), classes, round(len(texts) * test_share))


@cache
def pydoc() -> str:
    """The topics of Python's reference that `help()` shows, one after the other.

    Example:
        >>> "statement" in pydoc()
        True
    """
    tree = ast.parse(places.files("pydoc")[0].read_text(encoding="utf-8"))
    [topics] = [node.value for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value]
    text = "\n".join(topic for _, topic in sorted(ast.literal_eval(topics).items()))
    # A handful of typographic characters would each cost a language model a class.
    return re.sub(r"[^\n -~]", "", text.replace("\u2018", "'").replace("\u2019", "'").replace("\u201c", '"'))


@cache
def bible() -> str:
    """The King James Bible, without the numbers of its verses."""
    source = places.files("bible")[0].read_text(encoding="utf-8")
    words = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    text = max((word for word in words if isinstance(word, str)), key=len)
    return re.sub(r"\b\d+\. ", "", text).strip()


LIBRARIES = ("asyncio", "email", "http", "importlib", "logging", "multiprocessing", "unittest", "xml")
"""Packages of the standard library with the most docstrings."""


def _docstrings(library: str) -> Iterator[str]:
    spec = find_spec(library)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(Path(folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield ast.get_docstring(node) or ""


@cache
def docstrings() -> Labelled:
    """Docstrings of at least five words in eight packages of Python's library; the class is the package.

    Example:
        >>> docstrings().classes[0]
        'asyncio'
    """
    pairs = [(text, name) for name in LIBRARIES for text in _docstrings(name) if len(text.split()) >= 5]
    return _shuffled(pairs, test_share=0.25)


@cache
def movie() -> Labelled:
    """10,605 snippets of film reviews, in the classes negative and positive by the sign of their mean rating."""
    lines = places.files("movie")[0].read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return _shuffled([(text, "positive" if float(mean) > 0 else "negative") for _, mean, text in rows], test_share=0.2)


@cache
def newsgroups() -> Labelled:
    """Posts of 20 newsgroups, stripped to words, in the split by date: 7,528 to test with, 11,293 to train on."""
    parts = []
    for path in reversed(places.files("newsgroups")):
        lines = path.read_text(encoding="utf-8").splitlines()[3:]
        parts.append([line.split("\t", 1) for line in lines if "\t" in line])
    pairs = [pair for part in parts for pair in part]
    classes = tuple(sorted({name for name, _ in pairs}))
    return Labelled(
        tuple(text for _, text in pairs), tuple(classes.index(name) for name, _ in pairs), classes, len(parts[0])
    )
