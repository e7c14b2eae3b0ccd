"""A small BERT: an encoder that fills in masked pieces of words (Devlin and others 2018, arXiv 1810.04805)."""

from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from adamas.lab.data import Batch, Data
from adamas.lab.pictures import Picture, matrix
from adamas.lab.workloads.base import Base
from adamas.lab.workloads.tokens import MASK, PAD, SPECIAL, VOCABULARY, pieces, tokenizer

if TYPE_CHECKING:
    # Seconds, which a command that only lists workloads should not pay: functions import it.
    from transformers import BertConfig

LENGTH = 48
"""Tokens the encoder sees at a time."""

HIDDEN = 0.3
"""Share of tokens to be filled in."""

IGNORED = -100
"""Label of a token that is not to be filled in, as cross entropy knows it."""


def bert_config(vocabulary: int = VOCABULARY) -> "BertConfig":
    """The size of the lab's own BERT: two layers of width 64."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=LENGTH,
        pad_token_id=PAD,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def masked(tokens: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Hides 30 % of the tokens: of ten, eight are masked, one is changed, one left as it is.

    BERT hid 15 %; a small model learns sooner from more (Wettig and others 2022, arXiv 2202.08005).

    Args:
        tokens: what to hide some of.
        generator: where chance comes from; torch's own by default.

    Returns:
        What the model sees, and the hidden tokens, `IGNORED` everywhere else.

    Example:
        >>> seen, hidden = masked(torch.full((100, 100), 7), torch.Generator().manual_seed(0))
        >>> f"{(hidden == 7).float().mean():.2f} {(seen == MASK).float().mean():.2f}"
        '0.30 0.24'
    """
    chance, kind = (torch.rand(tokens.shape, generator=generator) for _ in range(2))
    others = torch.randint(len(SPECIAL), VOCABULARY, tokens.shape, generator=generator)
    hidden = (chance < HIDDEN) & (tokens >= len(SPECIAL))
    seen = torch.where(hidden & (kind < 0.8), MASK, torch.where(hidden & (kind >= 0.9), others, tokens))
    return seen, torch.where(hidden, tokens, IGNORED)


class MaskedModel(Base):
    """Fills in masked tokens of Python's reference and docstrings, or of the Bible."""

    variants = ("pydoc", "bible")
    batch_size = 32
    steps = 700
    eval_every = 50
    target = 5.4
    metric_name = "accuracy of masked tokens"

    def __init__(self, variant: str = ""):
        super().__init__(variant)
        self.title = f"Masked language model (BERT) on {self.variant}"

    def data(self) -> Data:
        """Rows of 48 tokens."""
        train, test = pieces(self.variant, LENGTH)
        spread = torch.linspace(0, len(train) - 1, 128).long()
        return Data(train=(train,), test=(test[torch.linspace(0, len(test) - 1, 128).long()],), probe=(train[spread],))

    def model(self) -> nn.Module:
        """Two layers of width 64 with four heads."""
        from transformers import BertForMaskedLM

        model = BertForMaskedLM(bert_config())
        # The one implementation that can tell what it attends to.
        model.set_attn_implementation("eager")
        return model

    def _answers(self, model: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits for the hidden tokens, and what they were; outside training, always the same ones are hidden."""
        from transformers import BertForMaskedLM

        seen, hidden = masked(tokens, None if model.training else torch.Generator().manual_seed(0))
        asked = hidden != IGNORED
        assert isinstance(model, BertForMaskedLM)
        # The head is half the work, and only what is hidden needs it.
        return model.cls(model.bert(input_ids=seen).last_hidden_state[asked]), hidden[asked]

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross entropy of the hidden tokens in nats."""
        return functional.cross_entropy(*self._answers(model, batch[0]))

    def metric(self, model: nn.Module, batch: Batch) -> float:
        """Share of hidden tokens that are filled in right."""
        logits, hidden = self._answers(model, batch[0])
        return (logits.argmax(1) == hidden).double().mean().item()

    def pictures(self, model: nn.Module, data: Data) -> list[Picture]:
        """What it fills in, and what its heads attend to while it does."""
        made = tokenizer(self.variant)
        seen, hidden = masked(data.test[0][:6], torch.Generator().manual_seed(0))
        answers = model(input_ids=seen, output_attentions=True)
        lines = []
        for row in range(len(seen)):
            asked = (hidden[row] != IGNORED).nonzero().flatten().tolist()
            best = answers.logits[row].argmax(1)
            filled = ", ".join(f"{_word(made, hidden[row, at])!r} -> {_word(made, best[at])!r}" for at in asked)
            lines.append(f"{made.decode(data.test[0][row].tolist())}  [{filled}]")
        names = tuple("[MASK]" if number == MASK else _word(made, number) for number in seen[0])
        maps = [
            Picture(
                kind="heatmap",
                title=f"Attention, layer {layer}, head 1",
                caption="Each row is a token, and says how much it looks at the others.",
                values=matrix(weights[0, 0].detach().round(decimals=2)),
                rows=names,
                columns=names,
            )
            for layer, weights in enumerate(answers.attentions, start=1)
        ]
        caption = "Test text; in brackets each hidden token and what is filled in."
        return [Picture(kind="text", title="Filled in", caption=caption, texts=tuple(lines)), *maps]


def _word(made: Tokenizer, number: Tensor) -> str:
    return made.decode([int(number)])
