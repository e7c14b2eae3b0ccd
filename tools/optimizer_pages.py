"""Write the page of every optimizer, and of all claims: algorithm box, docstring, evidence.

    python tools/optimizer_pages.py docs      (make pages)

An algorithm box is the rule's own code, which is what runs; evidence is what `docs/evidence/*.json` says.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adamas import rules
from adamas.rules import Rule

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "docs" / "evidence"
DRAWN_BY = "<!-- Written by `python tools/optimizer_pages.py docs`. Do not edit. -->"


@dataclass(frozen=True)
class Page:
    """What the page of an optimizer says besides what the code says.

    Args:
        name: the class in `adamas`.
        rules: the rules to print; of others than the first only what they change.
        when: when to use it, in a sentence or two.
        concepts: names of pages in docs/concepts.
        lab: its names in the lab, by which claims are about it.
        note: added to the algorithm.
    """

    name: str
    rules: tuple[type[Rule], ...]
    when: str
    concepts: tuple[str, ...]
    lab: tuple[str, ...]
    note: str = ""


PAGES = (
    Page(
        "SGD",
        (rules.SGD, rules.Momentum, rules.Nesterov),
        "Vision models with batch norm and a tuned schedule, and wherever memory for a second moment is missing.",
        ("momentum", "noise"),
        ("sgd", "momentum", "nesterov"),
    ),
    Page(
        "Adagrad",
        (rules.Adagrad,),
        "Sparse features and convex problems. In long trainings of deep nets its steps become too small.",
        ("adagrad", "sparse"),
        ("adagrad",),
    ),
    Page(
        "RMSprop",
        (rules.RMSprop, rules.RMSpropCentered, rules.RMSpropMomentum),
        "Reinforcement learning and recurrent nets, by tradition. Adam adds a mean and takes the bias out.",
        ("rmsprop",),
        ("rmsprop",),
    ),
    Page(
        "Adam",
        (rules.Adam, rules.AMSGrad),
        "The first choice where nothing is known yet. With weight decay take AdamW.",
        ("adam", "moments"),
        ("adam", "amsgrad"),
    ),
    Page(
        "AdamW",
        (rules.Adam,),
        "Transformers, fine-tuning, and nearly everything that is trained with weight decay.",
        ("adamw", "adam"),
        ("adamw",),
        "Before the step the engine decays the weight, p = (1 - lr weight_decay) p: the gradient does not know of it.",
    ),
    Page(
        "SparseAdam",
        (rules.SparseAdam,),
        'Replacing `torch.optim.SparseAdam`. AdamW with `sparse="exact"` has the numbers of dense AdamW, as fast.',
        ("sparse",),
        (),
        "Only rows with a gradient are stepped. All else is Adam's.",
    ),
    Page(
        "NAdam",
        (rules.NAdam,),
        "Where Adam works and a look ahead along the momentum may save some steps.",
        ("adam", "momentum"),
        ("nadam",),
    ),
    Page(
        "RAdam",
        (rules.RAdam,),
        "Where Adam needs a warm-up and none is wanted: it holds back while v rests on too few gradients.",
        ("adam", "moments"),
        ("radam",),
    ),
    Page(
        "Adamax",
        (rules.Adamax,),
        "Where single gradients are far larger than the rest: the largest of them, decayed, bounds the step.",
        ("adam",),
        ("adamax",),
    ),
    Page(
        "Lion",
        (rules.Lion,),
        "Large models with large batches: one moment, not two. Its lr is three to ten times smaller than AdamW's.",
        ("momentum", "noise"),
        ("lion",),
    ),
)


def legend(rule: type[Rule]) -> str:
    """Return the letters of a rule, out of its file's docstring."""
    lines = (sys.modules[rule.__module__].__doc__ or "").strip().splitlines()[1:]
    return textwrap.dedent("\n".join(line for line in lines if re.match(r"\s*\S+(, \S+)*\s{2,}\S", line)))


def code(rule: type[Rule]) -> str:
    """Return the methods that a rule defines itself."""
    found = (rule.__dict__[name].__func__ for name in ("advance", "scalars", "update") if name in rule.__dict__)
    return "\n".join(textwrap.dedent(inspect.getsource(each)).replace("@staticmethod\n", "") for each in found).strip()


def algorithm(page: Page) -> Iterator[str]:
    """Yield the algorithm box: letters, then each rule's formula and code."""
    yield "## Algorithm\n"
    if letters := legend(page.rules[0]):
        yield f"```text\n{letters}\n```\n"
    for rule in page.rules:
        formula = " ".join((rule.__doc__ or "").split("\n\n")[0].split())
        yield f"**{rule.__name__}**: `{formula.removesuffix('.')}`\n"
        yield f"```python\n{code(rule)}\n```\n" if code(rule) else "Its code is that of the rule above.\n"
    if page.note:
        yield f"{page.note}\n"
    yield (
        "This is the code that runs, not a paraphrase: `update` on tensors is the reference engine, and printed as\n"
        "C++ the compiled one; `scalars` is computed once a step, in float64.\n"
    )


def claims() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every judged claim with its figure's name."""
    for path in sorted(EVIDENCE.glob("*.json")):
        for judged in json.loads(path.read_text(encoding="utf-8"))["judged"]:
            yield path.stem, judged


def table(rows: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Yield claims as a table."""
    yield "| claim | verdict | measured | figure |\n|---|---|---|---|"
    for figure, judged in rows:
        yield f"| {judged['claim']} | **{judged['verdict']}** | {judged['reading']} | {figure} |"
    yield ""


def evidence(page: Page) -> Iterator[str]:
    """Yield what was measured of an optimizer."""
    words = {*page.lab, page.name.lower()}
    rows = [
        (figure, judged)
        for figure, judged in claims()
        if figure in words
        or words & {*re.findall(r"[a-z0-9_]+", " ".join((judged["claim"], *judged["numbers"])).lower())}
    ]
    yield "## Evidence\n"
    yield (
        "- Equal to a float64 transcription of the paper and, where torch has it, to `torch.optim`; the same bits on\n"
        "  every engine, dtype, layout and instruction set: \n"
        "  `pytest tests/core/test_engines.py tests/contract/test_oracles.py`.\n"
    )
    if rows:
        yield "What became of the papers' claims about it ([all claims](../evidence.md)):\n"
        yield from table(rows)
    elif not page.lab:
        yield "Speed beside torch's: `python benchmarks/sparse.py`, with the numbers in the README and in"
        yield "[sparse gradients](../sparse.md).\n"
    else:
        yield "The figures of the papers do not show it. To see it beside another:"
        yield f"`adamas compare mlp,cnn --optimizers adam,{page.lab[0]}`.\n"


def title(concept: str) -> str:
    """Return the heading of a concept's page."""
    text = (ROOT / "docs" / "concepts" / f"{concept}.md").read_text(encoding="utf-8")
    return text.removeprefix("# ").split("\n", 1)[0]


def optimizer_page(page: Page) -> str:
    """Return one page."""
    ideas = ", ".join(f"[{title(name)}](../concepts/{name}.md)" for name in page.concepts)
    parts = (f"# {page.name}\n\n{DRAWN_BY}\n", f"{page.when} See {ideas}.\n", *algorithm(page))
    docstring = f"## In Python\n\n::: adamas.{page.name}\n    options:\n      heading_level: 3\n"
    return "\n".join((*parts, docstring, *evidence(page))).rstrip() + "\n"


def index_page() -> str:
    """Return the list of optimizers."""
    rows = (f"| [{page.name}]({page.name.lower()}.md) | {page.when} |" for page in PAGES)
    return "\n".join((f"# Optimizers\n\n{DRAWN_BY}\n", "| optimizer | when |\n|---|---|", *rows)) + "\n"


def evidence_page() -> str:
    """Return the page of all claims."""
    parts = (
        f"# Evidence\n\n{DRAWN_BY}\n",
        "The figures of the Adam paper (Kingma and Ba 2015, figures 1 to 4) and of the AdamW paper (Loshchilov and\n"
        "Hutter 2019, figure 2), made again on small stand-ins. A claim is a predicate over seeds: it holds, does not\n"
        "hold, or is undecided where the seeds' ranges overlap. [The report](evidence/index.html) has the curves\n"
        "and all that differs from the papers; `make evidence` makes it again in half an hour.\n",
        *table(list(claims())),
        "Speed and memory are in the table of the README, each row with its command; errors and final losses with few\n"
        "bits under [formats](formats/README.md).",
    )
    return "\n".join(parts) + "\n"


def main(folder: Path) -> None:
    """Write all of them."""
    (folder / "optimizers").mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        (folder / "optimizers" / f"{page.name.lower()}.md").write_text(optimizer_page(page), encoding="utf-8")
    (folder / "optimizers" / "index.md").write_text(index_page(), encoding="utf-8")
    (folder / "evidence.md").write_text(evidence_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
